package interop;

import java.time.Duration;
import java.util.Map;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.reactive.context.ReactiveWebServerInitializedEvent;
import org.springframework.context.ApplicationListener;
import org.springframework.context.annotation.Bean;
import org.springframework.http.MediaType;
import org.springframework.http.codec.ServerSentEvent;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import reactor.core.publisher.Flux;

/**
 * An event stream that is no MCP, on Spring WebFlux: /events, which sends a comment `heartbeat` every 30 s
 * and nothing else.
 *
 * <p>It logs what such servers log of a stream, for Holter's rules. Prints {@code listening PORT} once; SIGTERM
 * ends it as Spring Boot does.
 */
@SpringBootApplication
@RestController
public class Server {

    private static final Logger LOG = LoggerFactory.getLogger(Server.class);

    public static void main(String[] args) {
        var application = new SpringApplication(Server.class);
        application.setDefaultProperties(Map.of(
                "server.port", args[0],
                "server.address", "127.0.0.1",
                "spring.main.banner-mode", "off"));
        application.run();
    }

    @Bean
    ApplicationListener<ReactiveWebServerInitializedEvent> announce() {
        return event -> System.out.println("listening " + event.getWebServer().getPort());
    }

    @GetMapping(path = "/events", produces = MediaType.TEXT_EVENT_STREAM_VALUE)
    Flux<ServerSentEvent<String>> events() {
        var heartbeat = ServerSentEvent.<String>builder().comment("heartbeat").build();
        return Flux.interval(Duration.ofSeconds(30)).map(tick -> heartbeat)
                .doOnSubscribe(subscription -> LOG.info("SSE connection opened"))
                .doOnCancel(() -> LOG.info("SSE connection cancelled"))
                .doOnError(error -> LOG.error("SSE connection failed", error));
    }
}

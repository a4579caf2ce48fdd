// The official Go SDK with its defaults: sessions on /mcp, the newest era on /stateless, HTTP+SSE on /sse.
//
//	server PORT      prints `listening PORT` once; a signal ends it as Go does, without a farewell
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func hello(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "hello"}}}, nil, nil
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "interop", Version: "1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "hello", Description: "Says hello"}, hello)
	serverOf := func(*http.Request) *mcp.Server { return server }

	http.Handle("/mcp", mcp.NewStreamableHTTPHandler(serverOf, nil))
	http.Handle("/stateless", mcp.NewStreamableHTTPHandler(serverOf, &mcp.StreamableHTTPOptions{Stateless: true}))
	http.Handle("/sse", mcp.NewSSEHandler(serverOf, nil))

	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(http.Serve(listener, nil))
}

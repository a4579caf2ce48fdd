//! Every fuzz target over its seeds and over mutations of them: short, deterministic, without cargo-fuzz.
//!
//! `HOLTER_FUZZ_CORPUS=folder` also writes the seeds there, a folder a target, for `scripts/fuzz`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by a panic"
)]

#[path = "fuzz/targets.rs"]
mod targets;

use std::fs;
use std::io::Read as _;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use targets::{Job, TARGETS, Target};

/// Lines of a log in one seed.
const SEED_LINES: usize = 3;

/// Numbers from a seed, the same on every machine: Marsaglia's xorshift64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap() % end
    }
}

/// A file's content, decompressed.
fn content(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = Vec::new();
    match path.extension().is_some_and(|end| end == "gz") {
        true => GzDecoder::new(&*bytes).read_to_end(&mut text).unwrap(),
        false => return bytes,
    };
    text
}

fn files(place: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let Some(folder) = place.strip_suffix('*') else {
        return vec![path.join(place)];
    };
    let entries = fs::read_dir(path.join(folder)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    files
}

fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let own = target.own.iter();
    let mut seeds: Vec<_> = own.map(|text| text.as_bytes().to_vec()).collect();
    for (place, before) in target.seeds {
        for file in files(place) {
            let content = content(&file);
            if file.extension().is_some_and(|end| end == "yaml") {
                seeds.push(content);
                continue;
            }
            let lines: Vec<_> = content.split_inclusive(|byte| *byte == b'\n').collect();
            let some = lines.chunks(SEED_LINES).map(|some| some.concat());
            seeds.extend(some.map(|some| [before.as_bytes(), &some].concat()));
        }
    }
    seeds
}

/// The words of a target's dictionary, in libFuzzer's syntax.
fn dictionary(target: &Target) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("fuzz/dictionaries/{}.dict", target.name));
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let words = text.lines().filter(|line| !line.starts_with('#'));
    words.map(word).collect()
}

/// One word: quoted, with `\\`, `\"` and `\xHH`.
fn word(line: &str) -> Vec<u8> {
    let quoted = line
        .strip_prefix('"')
        .and_then(|line| line.strip_suffix('"'));
    let mut rest = quoted
        .unwrap_or_else(|| panic!("not a word: {line}"))
        .as_bytes();
    let mut word = Vec::new();
    while let Some((byte, after)) = rest.split_first() {
        (word, rest) = match (byte, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digits = [*high, *low];
                let code = u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16);
                word.push(code.unwrap());
                (word, after)
            }
            (b'\\', [escaped, after @ ..]) => {
                word.push(*escaped);
                (word, after)
            }
            _ => {
                word.push(*byte);
                (word, after)
            }
        };
    }
    word
}

/// One change of an input: a byte, a bit, a piece cut, doubled, or put in from the words.
fn mutate(input: &mut Vec<u8>, words: &[Vec<u8>], numbers: &mut Numbers) {
    let at = numbers.below(input.len() + 1);
    let end = at + numbers.below((input.len() - at).min(40) + 1);
    match numbers.below(6) {
        0 if at < input.len() => input[at] = u8::try_from(numbers.below(256)).unwrap(),
        1 if at < input.len() => input[at] ^= 1 << numbers.below(8),
        2 => drop(input.drain(at..end)),
        3 => {
            let piece = input[at..end].to_vec();
            drop(input.splice(at..at, piece));
        }
        4 => input.truncate(at),
        _ => {
            let word = words[numbers.below(words.len())].clone();
            drop(input.splice(at..end, word));
        }
    }
}

/// How many mutations of a target run: the configuration's reader is slower than the others, and each
/// run of the rules warms up their expressions anew.
fn runs(target: &Target) -> usize {
    match target.name {
        "config" => 2000,
        "rules" => 100,
        _ => 5000,
    }
}

fn run(target: &Target, input: &[u8]) {
    let outcome = catch_unwind(|| target.run(input));
    assert!(
        outcome.is_ok(),
        "{} fails on {:?}",
        target.name,
        String::from_utf8_lossy(input)
    );
}

#[test]
fn seeds_and_mutations_break_nothing() {
    for target in TARGETS {
        let (seeds, words) = (seeds(target), dictionary(target));
        assert!(!seeds.is_empty() && !words.is_empty(), "{}", target.name);
        for seed in &seeds {
            run(target, seed);
        }
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        for _ in 0..runs(target) {
            let mut input = seeds[numbers.below(seeds.len())].clone();
            for _ in 0..=numbers.below(4) {
                mutate(&mut input, &words, &mut numbers);
            }
            run(target, &input);
        }
    }
}

#[test]
fn seeds_reach_what_they_are_for() {
    for target in TARGETS {
        let Job::Lines(compile, presets) = &target.job else {
            continue;
        };
        for seed in seeds(target) {
            let text = String::from_utf8(seed).unwrap();
            let (format, lines) = text.split_once('\n').unwrap();
            let format = match format.parse::<usize>() {
                Ok(number) => compile(presets[number]),
                Err(_) => compile(format),
            };
            for line in lines.lines() {
                let record = format.as_ref().unwrap().parse(line.as_bytes());
                assert!(record.is_ok(), "{}: {line}: {record:?}", target.name);
            }
        }
    }
}

#[test]
fn seeds_are_written_where_asked() {
    let asked = std::env::var_os("HOLTER_FUZZ_CORPUS").map(PathBuf::from);
    let folder = tempfile::tempdir().unwrap();
    let root = asked.as_deref().unwrap_or(folder.path());
    for target in TARGETS {
        let folder = root.join(target.name);
        fs::create_dir_all(&folder).unwrap();
        for (number, seed) in seeds(target).iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:04}")), seed).unwrap();
        }
        assert!(
            fs::read_dir(&folder).unwrap().count() > 0,
            "{}",
            target.name
        );
    }
}

//! Archives made here, rule by rule, at every split.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;

/// An entry that the small writer writes.
#[derive(Clone, Debug)]
struct Made {
    block: Vec<u8>,
    content: Vec<u8>,
}

fn made(flag: u8, name: &str, content: &[u8]) -> Made {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    block[156] = flag;
    block[257..265].copy_from_slice(b"ustar\x0000");
    Made { block, content: content.to_vec() }
}

fn file(name: &str, content: &[u8]) -> Made {
    made(b'0', name, content)
}

fn link(flag: u8, name: &str, target: &str) -> Made {
    made(flag, name, b"").set(157, target.as_bytes())
}

fn pax(flag: u8, records: &[(&str, &str)]) -> Made {
    let line = |key: &str, value: &str| {
        let bare = key.len() + value.len() + 3;
        let length = (1..9).map(|digits| bare + digits).find(|length| length.to_string().len() + bare == *length).unwrap();
        format!("{length} {key}={value}\n")
    };
    made(flag, "PaxHeaders.0/x", records.iter().map(|(key, value)| line(key, value)).collect::<String>().as_bytes())
}

impl Made {
    fn set(mut self, at: usize, bytes: &[u8]) -> Self {
        self.block[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn mode(self, mode: &str) -> Self {
        self.set(100, mode.as_bytes())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut block = self.block.clone();
        if block.iter().all(|byte| *byte == 0) {
            return [block, self.content.clone()].concat();
        }
        block[148..156].copy_from_slice(b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block.extend(&self.content);
        block.resize(block.len().next_multiple_of(512), 0);
        block
    }
}

fn tar(entries: &[Made]) -> Vec<u8> {
    let mut out: Vec<u8> = entries.iter().flat_map(Made::bytes).collect();
    out.extend([0; 1024]);
    out
}

/// The fault, what was released, and the Dockerfiles.
type Outcome = (Option<Fault>, u64, Vec<Dockerfile>);

fn walk(mut walker: Walker, pieces: &[&[u8]]) -> Outcome {
    let pushed = pieces.iter().try_for_each(|piece| walker.push(piece));
    let fault = pushed.and_then(|()| walker.finish()).err();
    (fault, walker.released(), walker.take_dockerfiles())
}

fn in_archive(entries: &[Made]) -> Result<u64, String> {
    outcome(walk(Walker::archive(), &[&tar(entries)]))
}

fn outcome((fault, released, _): Outcome) -> Result<u64, String> {
    fault.map_or(Ok(released), |fault| Err(format!("{} {}", fault.kind.code(), fault.at)))
}

fn context(name: Option<&str>, entries: &[Made]) -> Outcome {
    walk(Walker::build(name, BuildArgs::default()).unwrap(), &[&tar(entries)])
}

fn in_build(entries: &[Made]) -> Result<u64, String> {
    outcome(context(None, entries))
}

fn refused_by_both(code: &str, entries: &[Made]) {
    for result in [in_archive(entries), in_build(entries)] {
        assert!(result.as_ref().is_err_and(|fault| fault.starts_with(code)), "{code}: {result:?}");
    }
}

fn long() -> String {
    format!("{}/{}", "d".repeat(120), "n".repeat(120))
}

fn everything_allowed() -> Vec<Made> {
    vec![
        pax(b'g', &[("comment", "a commit")]),
        made(b'5', "./", b"").mode("0040755\0"),
        made(b'5', "dir/", b"").mode("0001777\0"),
        file("dir/a", b"content"),
        made(b'0', "old", b"v7").set(257, &[0; 8]),
        made(0, "gnu", &[1; 512]).set(257, b"ustar  \0").set(124, b"\x80\0\0\0\0\0\0\0\0\0\x02\0"),
        made(b'L', "././@LongLink", format!("{}\0", long()).as_bytes()).set(257, b"ustar  \0"),
        made(b'0', "cut", b"x").set(257, b"ustar  \0"),
        pax(b'x', &[("path", &long()), ("size", "3"), ("mtime", "1.5"), ("SCHILY.xattr.user.a", "b")]),
        file("PaxHeader", b"abc"),
        link(b'2', "dir/s", "../dir/a").mode("0120777\0"),
        link(b'2', "dir/t", "a").mode("0100644\0"),
        link(b'1', "dir/h", "dir/a").mode("0100644\0"),
        file("n", b"x").set(345, b"prefix/of"),
    ]
}

#[test]
fn a_fault_names_the_entry_by_the_front_of_its_name() {
    let device = |name: &str| in_archive(&[made(b'3', name, b"")]).unwrap_err();
    assert!(device("dev/sda").starts_with("bad-archive dev/sda: "), "{}", device("dev/sda"));
    let long = pax(b'x', &[("path", &"n".repeat(300))]);
    let fault = in_archive(&[long, link(b'2', "l", "/etc")]).unwrap_err();
    assert!(fault.starts_with(&format!("archive-entry {}: ", "n".repeat(120))), "{fault}");
}

#[test]
fn everything_that_real_writers_write_passes_whole() {
    let entries = everything_allowed();
    let whole = tar(&entries).len() as u64;
    assert_eq!(in_archive(&entries), Ok(whole));
    assert_eq!(in_build(&entries), Ok(whole));
    assert_eq!(in_archive(&[]), Ok(1024));
    assert_eq!(outcome(walk(Walker::archive(), &[])), Ok(0), "no body is no archive");
    let padded = [tar(&entries), vec![0; 8192 + 3]].concat();
    assert_eq!(outcome(walk(Walker::archive(), &[&padded])), Ok(padded.len() as u64));
}

#[test]
fn gives_the_same_answer_and_releases_the_same_bytes_at_every_split() {
    let dockerfile = file("Dockerfile", b"FROM a\nCOPY --from=b / /\n");
    let good = [everything_allowed(), vec![dockerfile]].concat();
    let bad_name = [everything_allowed(), vec![file("../x", b"")]].concat();
    let bad_file = vec![file("a", b"b"), file("Dockerfile", b"RUN --mount=x y")];
    let after_the_end = vec![file("a", b"b"), Made { block: vec![0; 512], content: [vec![0; 600], vec![1]].concat() }];
    for (entries, size) in [(&good, None), (&bad_name, None), (&bad_file, Some(1024)), (&after_the_end, Some(1024 + 512 + 600))] {
        let bytes = tar(entries);
        let whole = walk(Walker::build(None, BuildArgs::default()).unwrap(), &[&bytes]);
        assert!(size.is_none_or(|size| whole.1 == size), "{whole:?}");
        for at in 0..bytes.len() {
            let (a, b) = bytes.split_at(at);
            assert_eq!(walk(Walker::build(None, BuildArgs::default()).unwrap(), &[a, b]), whole, "at {at}");
        }
        for size in [1, 7, 511, 513] {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            assert_eq!(walk(Walker::build(None, BuildArgs::default()).unwrap(), &pieces), whole, "by {size}");
        }
    }
}

#[test]
fn holds_every_header_back_until_its_entry_is_judged() {
    let first = file("a", &[7; 700]).bytes();
    let bad = [made(b'L', "././@LongLink", b"../evil\0"), file("e", b"evil")];
    let mut walker = Walker::archive();
    walker.push(&first).unwrap();
    assert_eq!(walker.released(), 512 + 1024);
    walker.push(&bad[0].bytes()).unwrap();
    assert_eq!(walker.released(), 512 + 1024, "a long name waits for its entry");
    let header = bad[1].bytes();
    walker.push(&header[..511]).unwrap();
    let fault = walker.push(&header[511..512]).unwrap_err();
    assert_eq!((fault.kind, walker.released()), (FaultKind::ArchiveEntry, 512 + 1024));
    assert_eq!(walker.push(b"more"), Err(fault), "after a fault there is only the fault");
}

#[test]
fn releases_the_end_only_when_it_is_whole() {
    let mut walker = Walker::archive();
    walker.push(&file("a", b"").bytes()).unwrap();
    walker.push(&[0; 1023]).unwrap();
    assert_eq!(walker.released(), 512);
    assert_eq!(walker.finish().unwrap_err().kind, FaultKind::BadArchive);
    walker.push(&[0]).unwrap();
    assert_eq!((walker.released(), walker.finish()), (512 + 1024, Ok(())));
    assert_eq!(walker.push(&[0, 1]).unwrap_err().at, "bytes after the end");
}

#[test]
fn refuses_names_that_leave() {
    for name in ["/etc/passwd", "..", "../a", "a/../../b", "a/..", "//a"] {
        refused_by_both("archive-entry", &[file(name, b"")]);
        refused_by_both("archive-entry", &[pax(b'x', &[("path", name)]), file("a", b"")]);
        refused_by_both("archive-entry", &[made(b'L', "l", name.as_bytes()), file("a", b"")]);
        refused_by_both("archive-entry", &[link(b'1', "a", name)]);
        refused_by_both("archive-entry", &[made(b'g', name, b"12 comment=a\n"), file("a", b"")]);
    }
    refused_by_both("archive-entry", &[file("x", b"").set(345, b"..")]);
    refused_by_both("archive-entry", &[made(b'5', "/", b"")]);
    refused_by_both("archive-entry", &[file("", b"")]);
    refused_by_both("archive-entry", &[file(".", b"")]);
    let deep = "a/".repeat(2049) + "b";
    refused_by_both("archive-entry", &[pax(b'x', &[("path", &deep)]), file("a", b"")]);
}

#[test]
fn refuses_entries_behind_links_of_the_same_archive() {
    let symlink = link(b'2', "l", "d");
    refused_by_both("archive-entry", &[symlink.clone(), file("l/x", b"")]);
    refused_by_both("archive-entry", &[symlink.clone(), file("./l//x/y", b"")]);
    refused_by_both("archive-entry", &[symlink.clone(), file("l", b"")]);
    refused_by_both("archive-entry", &[symlink.clone(), link(b'1', "h", "l"), file("h/x", b"")]);
    refused_by_both("archive-entry", &[symlink.clone(), made(b'g', "l/x/g", b"12 comment=a\n"), file("a", b"")]);
    assert!(in_archive(&[symlink, file("lx/y", b"")]).is_ok());
}

/// A GNU extension: the whole name, or the whole target of a link, of the entry behind it.
fn gnu(flag: u8, text: &str) -> Made {
    made(flag, "././@LongLink", format!("{text}\0").as_bytes()).set(257, b"ustar  \0")
}

#[test]
fn judges_the_whole_target_of_a_link_wherever_it_is_written() {
    let cut = || link(b'2', "l", "a").set(257, b"ustar  \0");
    for (extension, cut) in [(gnu as fn(u8, &str) -> Made, cut()), (|_, target| pax(b'x', &[("linkpath", target)]), link(b'2', "l", "a"))] {
        assert!(in_archive(&[extension(b'K', "d/f"), cut.clone()]).is_ok());
        let leaving = in_archive(&[extension(b'K', "../f"), cut]).unwrap_err();
        assert!(leaving.contains("leaves the archive"), "{leaving}");
    }
    let both = [gnu(b'L', "name"), gnu(b'K', "d/f"), cut()];
    assert!(in_archive(&both).is_ok(), "a name and a target");
    refused_by_both("bad-archive", &[gnu(b'K', "d/f"), gnu(b'K', "d/f"), cut()]);
    refused_by_both("bad-archive", &[pax(b'x', &[("mtime", "1")]), gnu(b'K', "d/f"), cut()]);
}

#[test]
fn bounds_names_targets_and_what_is_remembered_of_links() {
    let named = |length: usize| [pax(b'x', &[("path", &"n".repeat(length))]), file("a", b"")];
    let linked = |length: usize| [pax(b'x', &[("linkpath", &"t".repeat(length))]), link(b'2', "l", "a")];
    for entries in [named(4096), linked(4096)] {
        assert!(in_archive(&entries).is_ok() && in_build(&entries).is_ok());
    }
    for entries in [named(4097), linked(4097)] {
        refused_by_both("archive-entry", &entries);
    }
    refused_by_both("archive-entry", &[made(b'5', "", b"")]);
    // names of 4096 bytes each, up to the bound and one byte beyond it
    let link_named = |at: usize, length: usize| [pax(b'x', &[("path", &format!("{at:0>length$}"))]), link(b'2', "l", "a")];
    let full: Vec<Made> = (0..1024).flat_map(|at| link_named(at, 4096)).collect();
    assert!(in_build(&full).is_ok());
    assert!(in_build(&[full, link_named(0, 1).to_vec()].concat()).unwrap_err().contains("too many symbolic links"));
}

#[test]
fn refuses_in_archives_what_gives_rights_or_leaves() {
    for entry in [
        file("su", b"").mode("0004755\0"),
        file("sg", b"").mode("0002755\0"),
        made(b'5', "d/", b"").mode("0042755\0"),
        link(b'2', "l", "/etc"),
        link(b'2', "l", ".."),
        link(b'2', "a/l", "../x/../../y"),
        link(b'2', "l", "./../etc"),
        link(b'2', "a/l", "..//../etc"),
        file(".wh.a", b""),
        file("a/.wh..wh..opq", b""),
    ] {
        assert!(in_archive(std::slice::from_ref(&entry)).unwrap_err().starts_with("archive-entry"));
        assert!(in_build(&[entry]).is_ok(), "a context's files stay in the build");
    }
    for stays in [link(b'2', "l", "d/../a"), link(b'2', "a/l", ".././x"), link(b'2', "a/b/l", "../../x")] {
        assert!(in_archive(std::slice::from_ref(&stays)).is_ok(), "{stays:?}");
    }
    let capability = [pax(b'x', &[("SCHILY.xattr.security.capability", "x")]), file("a", b"")];
    assert!(in_archive(&capability).unwrap_err().contains("rights"));
    assert!(in_build(&capability).is_ok());
}

#[test]
fn refuses_what_two_readers_could_read_in_two_ways() {
    let one = |made: Made| refused_by_both("bad-archive", &[made]);
    for flag in [b'3', b'4', b'6', b'7', b'S', b'M', b'D', b'V', b'N', b'A', b'X', b'Z', 0xff] {
        one(made(flag, "a", b""));
    }
    for (at, bytes) in [
        (124, &b"0000000000x\0"[..]),
        (124, b"\0\0\0\0\0\0\0\0\0\0\0\0"),
        (124, b"00\x0000000001\0"),
        (124, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        (124, b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        (100, b"\x80000644\0"),
        (100, b"0040644\0"),
        (3, b"hidden"),
        (257, b"ustar\x0001"),
        (257, b"USTAR\x0000"),
        (257, b"\0\0\0\0\0\0\0\0\0\0a"),
        (508, b"tar\0"),
        (156, b"0x"),
    ] {
        let entry = file("a", b"").set(at, bytes);
        if at != 156 {
            one(entry);
        }
    }
    one(file("a", b"").set(257, b"ustar  \0").set(345, b"prefix"));
    one(file("a", b"").set(257, b"ustar  \0").set(482, b"1"));
    let mut broken = tar(&[file("a", b"")]);
    broken[0] ^= 1;
    assert!(outcome(walk(Walker::archive(), &[&broken])).unwrap_err().contains("checksum"));
    assert!(in_archive(&[file("a/", b"")]).is_err() && in_archive(&[made(0, "a/", b"")]).is_err());
    assert!(in_archive(&[made(b'5', "d", b"x")]).is_err() && in_archive(&[link(b'2', "l", "")]).is_err());
    assert!(in_archive(&[link(b'0', "a", "b")]).is_err());
    let alone = [file("a", b"").bytes(), vec![0; 512], file("b", b"").bytes(), vec![0; 1024]].concat();
    assert!(outcome(walk(Walker::archive(), &[&alone])).is_err());
}

/// A pax record of this length.
fn comment(length: usize) -> String {
    let front = format!("{length} comment=");
    format!("{front}{}\n", "c".repeat(length - front.len() - 1))
}

#[test]
fn refuses_extensions_that_contradict() {
    assert!(in_archive(&[made(b'x', "x", comment(65_536).as_bytes()), file("a", b"")]).is_ok());
    let b = || file("b", b"1234");
    let name = || made(b'L', "l", b"n\0");
    for extensions in [
        vec![name(), name()],
        vec![name(), pax(b'x', &[("mtime", "1")])],
        vec![pax(b'x', &[("mtime", "1")]), name()],
        vec![pax(b'x', &[("mtime", "1")]), pax(b'x', &[("mtime", "1")])],
        vec![name(), pax(b'g', &[("comment", "1")])],
        vec![made(b'L', "l", b"n\0m")],
        vec![made(b'L', "l", b"\0")],
        vec![made(b'x', "x", b"")],
        vec![pax(b'x', &[("path", "a"), ("path", "a")])],
        vec![made(b'x', "x", comment(65_537).as_bytes())],
        vec![pax(b'x', &[("LIBARCHIVE.a\0b", "1")])],
        vec![pax(b'x', &[("", "1")])],
        vec![pax(b'x', &[("size", "5")])],
        vec![pax(b'x', &[("size", "04")])],
        vec![pax(b'x', &[("size", "+4")])],
        vec![pax(b'x', &[("size", "")])],
        vec![pax(b'x', &[("path", "")])],
        vec![pax(b'x', &[("path", "a\0b")])],
        vec![pax(b'x', &[("GNU.sparse.major", "1")])],
        vec![pax(b'x', &[("SCHILY.realsize", "1")])],
        vec![pax(b'x', &[("hdrcharset", "BINARY")])],
        vec![pax(b'x', &[("unheard", "of")])],
        vec![pax(b'g', &[("path", "a")])],
        vec![pax(b'g', &[("size", "4")])],
        vec![made(b'x', "x", b"11 mtime=12\n")],
        vec![made(b'x', "x", b"012 mtime=1\n")],
        vec![made(b'x', "x", b"10 mtime=1\n\0\0")],
        vec![made(b'x', "x", b"8 mtime\n")],
        vec![made(b'x', "x", &[b'1'; 70_000])],
    ] {
        refused_by_both("bad-archive", &[extensions, vec![b()]].concat());
    }
    refused_by_both("bad-archive", &[name()]);
    let large = |size: &str, pax_size: &str| {
        let bytes: Vec<u8> = [pax(b'x', &[("size", pax_size)]).bytes(), file("a", b"").set(124, size.as_bytes()).bytes()].concat();
        Walker::archive().push(&bytes).is_ok()
    };
    assert!(large("00000000000\0", "8589934592") && large("77777777777\0", "8589934592"), "what octal cannot hold");
    assert!(!large("00000000001\0", "8589934592") && !large("00000000000\0", "8589934591"));
}

#[test]
fn zeros_behind_the_end_go_on_with_it_however_many_there_are() {
    let bytes = [tar(&[file("a", b"x")]), vec![0; 9000]].concat();
    let (fault, released, _) = walk(Walker::archive(), &[&bytes]);
    assert_eq!((fault, released), (None, bytes.len() as u64));
    let (fault, released, _) = walk(Walker::archive(), &[&[bytes.clone(), b"x".to_vec()].concat()]);
    assert_eq!((fault.unwrap().kind, released), (FaultKind::BadArchive, bytes.len() as u64));
}

#[test]
fn an_empty_dockerfile_reaches_for_nothing() {
    let (fault, _, dockerfiles) = context(None, &[file("Dockerfile", b"")]);
    assert_eq!((fault, dockerfiles), (None, vec![]));
}

#[test]
fn refuses_every_compression_by_name() {
    let starts: [&[u8]; 6] =
        [b"\x1f\x8b\x08\0\0", b"BZh91AY", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd\x04", b"\x50\x2a\x4d\x18", b"\x5f\x2a\x4d\x18"];
    for start in starts {
        for length in [20, 4096] {
            let mut bytes = start.to_vec();
            bytes.resize(length, 1);
            for walker in [Walker::archive(), Walker::build(None, BuildArgs::default()).unwrap()] {
                let (fault, released, _) = walk(walker, &[&bytes]);
                assert_eq!((fault.unwrap().kind, released), (FaultKind::CompressedArchive, 0));
            }
        }
    }
    let (fault, ..) = walk(Walker::archive(), &[b"\0\x1f\x8b\x08 is no archive at all"]);
    assert_eq!(fault.unwrap().kind, FaultKind::BadArchive, "only what begins as one");
    assert!(in_archive(&[file("BZh9.txt", b"")]).unwrap_err().starts_with("compressed-archive"), "the engine would unpack it");
}

#[test]
fn refuses_a_dockerfile_that_is_not_the_only_one() {
    let one = || file("Dockerfile", b"FROM a");
    let refused = |name: Option<&str>, entries: &[Made]| outcome(context(name, entries)).unwrap_err();
    assert!(in_build(&[one()]).is_ok());
    for second in [
        one(),
        file("./Dockerfile", b"FROM b"),
        file(".//Dockerfile", b""),
        link(b'2', "Dockerfile", "x"),
        link(b'1', "alias", "Dockerfile"),
    ] {
        assert!(refused(None, &[one(), second]).starts_with("dockerfile"));
    }
    assert!(refused(None, &[link(b'2', "dockerfile", "x")]).starts_with("dockerfile"), "the engine's second choice");
    assert!(refused(None, &[link(b'1', "Dockerfile", "x")]).contains("not a link"));
    let nested = |entries: &[Made]| outcome(context(Some("sub/./D"), entries));
    assert!(nested(&[one(), one(), made(b'5', "sub/", b""), file("sub/D", b"FROM a")]).is_ok());
    assert!(nested(&[link(b'2', "sub", "x")]).unwrap_err().starts_with("dockerfile"));
    assert!(nested(&[file("sub/D", b""), file("sub/D", b"")]).unwrap_err().contains("second"));
    assert!(in_build(&[file("Dockerfile", &vec![b'#'; 1 << 20])]).is_ok());
    assert!(refused(None, &[file("Dockerfile", &vec![b'#'; (1 << 20) + 1])]).contains("too large"));
    for name in ["../D", "a/../D", "[\"D\"]", " [\"D\"]", "null", "Dockerfile.in"] {
        assert!(Walker::build(Some(name), BuildArgs::default()).is_err(), "{name}");
    }
    assert!(Walker::build(Some("/D"), BuildArgs::default()).is_ok());
}

#[test]
fn holds_a_dockerfile_back_until_it_is_judged() {
    let bytes = file("Dockerfile", b"FROM a").bytes();
    let mut walker = Walker::build(None, BuildArgs::default()).unwrap();
    walker.push(&bytes[..517]).unwrap();
    assert_eq!(walker.released(), 0);
    walker.push(&bytes[517..]).unwrap();
    assert_eq!(walker.released(), 1024);
    assert_eq!(walker.take_dockerfiles().len(), 1);
}

fn images(text: &str, args: &str) -> Result<Vec<String>, String> {
    let file = dockerfile::read(text.as_bytes(), &BuildArgs::read(args)).map_err(|fault| fault.at)?;
    let shown = |image: Image| match image {
        Image::Named(name) => name,
        Image::Unresolved(text) => format!("?{text}"),
    };
    Ok(file.images.into_iter().map(shown).collect())
}

#[test]
fn finds_the_images_that_a_build_uses() {
    for (text, args, found) in [
        ("FROM a", "", &["a"][..]),
        ("\u{feff}from --platform=linux/arm64 a:1 as x\nFROM x\nFROM scratch", "", &["a:1"]),
        (
            "FROM a AS b\nCOPY --from=b / /\nFROM c\nCOPY --from=B / /\nCOPY --from=0 / /\nCOPY --chown=1 --from=d / /",
            "",
            &["a", "b", "c", "d"],
        ),
        (
            "# c\nARG V=1\nARG I=\"x:$V\"\nARG N=\nFROM $I\nFROM ${I}\nFROM y:${V:-2}\nFROM ${N:-z}\nFROM q${V:+w}",
            "",
            &["x:1", "x:1", "y:1", "z", "qw"],
        ),
        ("ARG I=x\nFROM $I", r#"{"I":"y"}"#, &["y"]),
        ("ARG I\nFROM $I", r#"{"I":"y"}"#, &["y"]),
        ("ARG I=x\nFROM $I", r#"{"I":null}"#, &["?$I"]),
        (
            "ARG I\nFROM $I\nFROM $J\nFROM ${I:-a}\nFROM ${J:-a}\nFROM \"a\"\nFROM ${I#a}",
            "",
            &["?$I", "?$J", "?${I:-a}", "?${J:-a}", "?\"a\"", "?${I#a}"],
        ),
        ("ARG I=\"x J=y\nFROM $J", "", &["?$J"]),
        ("ARG TARGETOS=a\nFROM $TARGETOS", "", &["?$TARGETOS"]),
        ("FROM a\nARG I=x\nFROM $I", "", &["a", "?$I"]),
        ("FR\\\nOM \\\n# comment\n\n  a", "", &["a"]),
        ("# escape=`\nFROM `\r\n a\r\nRUN dir c:\\", "", &["a"]),
        ("# escape=\\\nFROM \\\n a", "", &["a"]),
        ("# syntax=docker/dockerfile:1\nFROM a", "", &["a"]),
        ("FROM a\nONBUILD FROM b\nONBUILD ONBUILD COPY --from=c / /", "", &["a"]),
        ("ARG A_1=x\nARG A=y\nFROM $A_1\nFROM ${A_1}\nFROM $A-z", "", &["x", "x", "y-z"]),
        ("ARG A='x'\nARG B=y\nFROM $A:$B", "", &["x:y"]),
        ("ARG A='$B'\nARG C=x\nFROM $C", "", &["?$C"]),
        ("ARG a-b=x\nARG C=y\nFROM $C", "", &["?$C"]),
        ("ARG 1a=x\nARG C=y\nFROM $C", "", &["?$C"]),
        ("ARG =x\nARG C=y\nFROM $C", "", &["?$C"]),
        ("FROM a AS x\nONBUILD COPY --from=evil / /\nFROM x", "", &["a", "evil"]),
        ("FROM b\nADD --from=c x /", "", &["b", "c"]),
        ("FROM $\nFROM ${\nFROM ${a\nFROM ${}", "", &["?$", "?${", "?${a", "?${}"]),
        ("RUN a \\\nFROM b", "", &[]),
        ("FROM a\nRUN cat <<< x && echo 1 << 2", "", &["a"]),
    ] {
        let found: Vec<String> = found.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(images(text, args), Ok(found), "{text}");
    }
}

#[test]
fn refuses_what_only_buildkit_builds_and_what_releases_read_differently() {
    for text in [
        "\n# escape=`\nFROM a",
        "# a\n# escape=`\nFROM a",
        "# escape=x\nFROM a",
        "FROM a\nRUN --mount=type=bind,from=b x",
        "FROM a\nrun  --network=host x",
        "FROM a\nRUN --security=insecure x",
        "FROM a\nONBUILD RUN --mount=type=cache x",
        "FROM a\nRUN <<EOF\nFROM b\nEOF",
        "FROM a\nCOPY <<-EOF /x\nEOF",
        "FROM a\nRUN ${X:+}<<EOF\nEOF",
        "FROM a\nRUN x \\\\\nFROM b",
        "FROM a\nRUN x\x0bFROM b",
        "FROM a\nCOPY --chown=\"a b\" --from=evil / /",
        "FROM a\nADD [\"\\u0068ttp://x\", \"/\"] x",
    ] {
        assert!(images(text, "").is_err(), "{text:?}");
    }
    for text in ["# syntax=docker/dockerfile:1\nFROM a", "FROM a\n# syntax=x"] {
        assert_eq!(images(text, ""), Ok(vec!["a".to_owned()]), "the classic builder knows no frontend");
    }
}

#[test]
fn reports_what_the_engine_itself_would_fetch() {
    let remotes = |text: &str| dockerfile::read(text.as_bytes(), &BuildArgs::default()).unwrap().remotes;
    for line in [
        "ADD https://x/y /",
        "ADD a HTTP://x /",
        "ADD [\"http://x\", \"/\"]",
        "ADD [\"\\u0068ttp://x\", \"/\"]",
        "add h\\ttp://x /",
        "ADD \"http://x\" /",
        "ADD --chown=1 git@h:r /",
        "ADD $X /",
        "ADD htt${X} /",
        "ONBUILD ADD http://x /",
    ] {
        assert_eq!(remotes(line).len(), 1, "{line}");
    }
    for line in ["ADD a /", "ADD a.tar b$X /x", "ADD a $HOME/", "COPY http:x /", "RUN curl https://x", "ADD", "ADD a"] {
        assert!(remotes(line).is_empty(), "{line}");
    }
}

fn any_entry() -> impl Strategy<Value = Made> {
    let name = prop::sample::select(vec!["a", "d/b", "Dockerfile", "dockerfile", "../x", "l", "l/x", "/r", "d/"]);
    let flag = prop::sample::select(b"0\x00125LKxg6".to_vec());
    let content = prop_oneof![
        Just(Vec::new()),
        Just(b"FROM a\n".to_vec()),
        Just(b"12 path=a/b\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..1100)
    ];
    (name, flag, content, prop::option::of((0_usize..512, any::<u8>()))).prop_map(|(name, flag, content, change)| {
        let entry = if matches!(flag, b'1' | b'2') { link(flag, name, "d/b") } else { made(flag, name, &content) };
        match change {
            Some((at, byte)) => entry.set(at, &[byte]),
            None => entry,
        }
    })
}

proptest! {
    #[test]
    fn any_archive_is_judged_alike_at_any_splits(entries in prop::collection::vec(any_entry(), 0..6), sizes in prop::collection::vec(1_usize..1500, 1..9)) {
        let bytes = tar(&entries);
        for build in [false, true] {
            let walker = || if build { Walker::build(None, BuildArgs::default()).unwrap() } else { Walker::archive() };
            let whole = walk(walker(), &[&bytes]);
            let mut pieces = Vec::new();
            let mut rest = bytes.as_slice();
            for size in sizes.iter().cycle() {
                let (piece, after) = rest.split_at((*size).min(rest.len()));
                pieces.push(piece);
                rest = after;
                if rest.is_empty() { break }
            }
            prop_assert_eq!(&walk(walker(), &pieces), &whole);
            prop_assert!(whole.1 <= bytes.len() as u64);
            prop_assert!(whole.0.is_some() || whole.1 == bytes.len() as u64, "what is fine goes whole");
        }
    }
}

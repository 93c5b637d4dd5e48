//! Fetching data sets from a server on this machine: whole, in pieces, damaged, and not at all.

mod server;

use flate2::{Compression, write::GzEncoder};
use perturb_data::DataError;
use perturb_data::registry::{Archive, Check, Entry, File, Progress};
use server::{Resource, Server};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use tempfile::TempDir;

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * i / 7 % 251) as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A set of one file `toy/a.bin`, which the server has under `from`.
fn entry(server: &Server, from: &str, content: &[u8]) -> Entry {
    let file = File {
        path: "toy/a.bin".into(),
        bytes: content.len() as u64,
        sha256: Some(sha256(content)),
        recoded: None,
        from: Some(from.into()),
    };
    Entry {
        name: "toy".into(),
        title: "A toy".into(),
        shapes: String::new(),
        publication: String::new(),
        licence: String::new(),
        path: "toy".into(),
        loader: String::new(),
        base: Some(server.address.clone()),
        archive: None,
        note: None,
        files: vec![file],
        converted: Vec::new(),
    }
}

fn silent(_: Progress<'_>) {}

/// Names in the folder `toy`, sorted.
fn names(root: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(root.path().join("toy")).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_whole_file_with_progress() {
    let (server, root, content) = (Server::start(), TempDir::new().unwrap(), content(300_000));
    server.put("x/a.bin", Resource { content: content.clone(), ..Resource::default() });
    let entry = entry(&server, "x/a.bin", &content);
    let mut heard = Vec::new();
    let place = entry.download(root.path(), &mut |p| heard.push((p.file.to_string(), p.done, p.total))).unwrap();
    assert_eq!((place, fs::read(root.path().join("toy/a.bin")).unwrap()), (root.path().join("toy"), content));
    assert_eq!(heard.first(), Some(&("toy/a.bin".to_string(), 0, Some(300_000))));
    assert_eq!(heard.last(), Some(&("toy/a.bin".to_string(), 300_000, Some(300_000))));
    assert!(heard.windows(2).all(|w| w[0].1 < w[1].1));
    assert_eq!(names(&root), ["a.bin"]);
    // A second time nothing is asked for.
    entry.download(root.path(), &mut silent).unwrap();
    assert_eq!(server.ranges().len(), 1);
    assert_eq!(entry.check(root.path()).unwrap()[0].1, Check::Published);
}

#[test]
fn gzipped_files_are_checked_unpacked() {
    let (server, root, content) = (Server::start(), TempDir::new().unwrap(), content(50_000));
    server.put("a.bin.gz", Resource { content: gzip(&content), ..Resource::default() });
    let entry = entry(&server, "a.bin.gz", &content);
    entry.download(root.path(), &mut silent).unwrap();
    assert_eq!(
        (names(&root), &entry.check(root.path()).unwrap()[0].1),
        (vec!["a.bin.gz".to_string()], &Check::Published)
    );
}

#[test]
fn broken_connections_go_on_where_they_stopped() {
    let (server, root, content) = (Server::start(), TempDir::new().unwrap(), content(250_000));
    let resource =
        Resource { content: content.clone(), parts: true, breaks_after: Some(100_000), ..Resource::default() };
    server.put("a.bin", resource);
    entry(&server, "a.bin", &content).download(root.path(), &mut silent).unwrap();
    assert_eq!(fs::read(root.path().join("toy/a.bin")).unwrap(), content);
    let ranges: Vec<Option<String>> =
        [None, Some("bytes=100000-"), Some("bytes=200000-")].map(|r| r.map(String::from)).into();
    assert_eq!(server.ranges(), ranges);
}

#[test]
fn an_earlier_part_is_used_or_replaced() {
    let (server, content) = (Server::start(), content(9000));
    for (parts, earlier, asked) in
        [(true, 4000, "bytes=4000-"), (false, 4000, "bytes=4000-"), (true, 9000, "bytes=9000-")]
    {
        let root = TempDir::new().unwrap();
        server.put("a.bin", Resource { content: content.clone(), parts, ..Resource::default() });
        fs::create_dir(root.path().join("toy")).unwrap();
        fs::write(root.path().join("toy/a.bin.part"), &content[..earlier]).unwrap();
        entry(&server, "a.bin", &content).download(root.path(), &mut silent).unwrap();
        assert_eq!(fs::read(root.path().join("toy/a.bin")).unwrap(), content);
        assert_eq!(server.ranges().pop().unwrap().as_deref(), Some(asked));
    }
    // A part that is longer than the file is thrown away.
    let root = TempDir::new().unwrap();
    server.put("a.bin", Resource { content: content.clone(), parts: true, ..Resource::default() });
    fs::create_dir(root.path().join("toy")).unwrap();
    fs::write(root.path().join("toy/a.bin.part"), [&content[..], b"more"].concat()).unwrap();
    entry(&server, "a.bin", &content).download(root.path(), &mut silent).unwrap();
    assert_eq!(fs::read(root.path().join("toy/a.bin")).unwrap(), content);
}

#[test]
fn a_server_without_parts_that_always_breaks_is_given_up() {
    let (server, root, content) = (Server::start(), TempDir::new().unwrap(), content(9000));
    server.put("a.bin", Resource { content: content.clone(), breaks_after: Some(5000), ..Resource::default() });
    let error = entry(&server, "a.bin", &content).download(root.path(), &mut silent).unwrap_err().to_string();
    assert!(error.contains("a.bin") && error.contains("run the command again"), "{error}");
    assert_eq!(names(&root), ["a.bin.part"]);
}

#[test]
fn wrong_content_is_kept_aside() {
    let (server, root, content) = (Server::start(), TempDir::new().unwrap(), content(9000));
    let mut wrong = content.clone();
    wrong[77] ^= 1;
    server.put("a.bin", Resource { content: wrong.clone(), ..Resource::default() });
    let entry = entry(&server, "a.bin", &content);
    match entry.download(root.path(), &mut silent) {
        Err(DataError::Checksum { kept, expected, actual, .. }) => {
            assert_eq!((expected, actual), (sha256(&content), sha256(&wrong)));
            assert_eq!((kept.clone(), fs::read(kept).unwrap()), (root.path().join("toy/a.bin.mismatch"), wrong));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(names(&root), ["a.bin.mismatch"]);
    // The next attempt begins anew and succeeds.
    server.put("a.bin", Resource { content: content.clone(), ..Resource::default() });
    entry.download(root.path(), &mut silent).unwrap();
    assert_eq!(names(&root), ["a.bin", "a.bin.mismatch"]);
    // A gzipped file that cannot be unpacked is no reason to fail otherwise.
    let root = TempDir::new().unwrap();
    server.put("b.gz", Resource { content: b"\x1f\x8bnot gzip at all".to_vec(), ..Resource::default() });
    let broken = self::entry(&server, "b.gz", &content).download(root.path(), &mut silent);
    assert!(matches!(broken, Err(DataError::Checksum { .. })) && names(&root) == ["a.bin.gz.mismatch"]);
}

#[test]
fn errors_of_the_server() {
    let (server, root, content) = (Server::start(), TempDir::new().unwrap(), content(900));
    let entry = entry(&server, "a.bin", &content);
    let failed = || entry.download(root.path(), &mut silent).unwrap_err().to_string();
    let error = failed();
    assert!(error.contains("404") && error.contains(&server.address), "{error}");
    assert_eq!(server.ranges().len(), 1, "what is not there is asked for once");
    server.put("a.bin", Resource { content: content.clone(), errors: (2, 503), ..Resource::default() });
    entry.download(root.path(), &mut silent).unwrap();
    assert_eq!(server.ranges().len(), 4);
}

#[test]
fn endless_files_are_refused() {
    let (server, root) = (Server::start(), TempDir::new().unwrap());
    server.put("a.bin", Resource { content: content(500_000), ..Resource::default() });
    let error = entry(&server, "a.bin", &content(900)).download(root.path(), &mut silent).unwrap_err().to_string();
    assert!(error.contains("more than 900 bytes"), "{error}");
    assert!(fs::metadata(root.path().join("toy/a.bin.part")).unwrap().len() <= 900);
}

#[test]
fn redirections_are_followed() {
    let (server, root, content) = (Server::start(), TempDir::new().unwrap(), content(900));
    server.put("a.bin", Resource { moved_to: Some(format!("{}b.bin", server.address)), ..Resource::default() });
    server.put("b.bin", Resource { content: content.clone(), ..Resource::default() });
    entry(&server, "a.bin", &content).download(root.path(), &mut silent).unwrap();
    assert_eq!(names(&root), ["a.bin"]);
}

#[test]
fn archives_are_unpacked() {
    let (server, root, content) = (Server::start(), TempDir::new().unwrap(), content(9000));
    let mut tar = tar::Builder::new(Vec::new());
    for name in ["other.txt", "folder/a.bin", "folder/../../evil"] {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, &content[..]).unwrap();
    }
    let packed = gzip(&tar.into_inner().unwrap());
    server.put("set.tar.gz", Resource { content: packed.clone(), ..Resource::default() });
    let mut entry = entry(&server, "folder/a.bin", &content);
    let address = format!("{}set.tar.gz", server.address);
    entry.archive = Some(Archive { address, bytes: packed.len() as u64, sha256: sha256(&packed) });
    entry.download(root.path(), &mut silent).unwrap();
    assert_eq!(fs::read(root.path().join("toy/a.bin")).unwrap(), content);
    // Nothing else came out of it, and it is gone itself.
    let top: Vec<_> = fs::read_dir(root.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(top, ["toy"]);
    entry.files[0].from = Some("folder/missing.bin".into());
    let root = TempDir::new().unwrap();
    let error = entry.download(root.path(), &mut silent).unwrap_err().to_string();
    assert!(error.contains("no file folder/missing.bin"), "{error}");
}

#[test]
fn two_processes_do_not_mix_their_bytes() {
    let (server, root, content) = (Server::start(), TempDir::new().unwrap(), content(900));
    server.put("a.bin", Resource { content: content.clone(), ..Resource::default() });
    fs::create_dir(root.path().join("toy")).unwrap();
    let other = fs::File::create(root.path().join("toy/a.bin.part")).unwrap();
    other.lock().unwrap();
    let error = entry(&server, "a.bin", &content).download(root.path(), &mut silent).unwrap_err().to_string();
    assert!(error.contains("another process"), "{error}");
    drop(other);
    entry(&server, "a.bin", &content).download(root.path(), &mut silent).unwrap();
}

#[test]
fn what_is_missing_and_how_to_get_it() {
    let (server, root, content) = (Server::start(), TempDir::new().unwrap(), content(900));
    let mut entry = entry(&server, "a.bin", &content);
    let error = entry.locate(root.path()).unwrap_err().to_string();
    for part in ["perturb data get toy", "toy/a.bin", &format!("{}a.bin", server.address), "PERTURB_DATA"] {
        assert!(error.contains(part), "no {part} in: {error}");
    }
    entry.base = None;
    entry.note = Some("Ask a friend.".into());
    let error = entry.download(root.path(), &mut silent).unwrap_err().to_string();
    assert!(error.contains("cannot be fetched. Ask a friend."), "{error}");
    // A copy of either form counts, and recoded ones are told apart.
    fs::create_dir(root.path().join("toy")).unwrap();
    fs::write(root.path().join("toy/a.bin.gz"), gzip(b"recoded")).unwrap();
    assert_eq!(entry.locate(root.path()).unwrap(), root.path().join("toy"));
    assert_eq!(entry.check(root.path()).unwrap()[0].1, Check::Differs { actual: sha256(b"recoded") });
    entry.files[0].recoded = Some(sha256(b"recoded"));
    assert_eq!(entry.check(root.path()).unwrap()[0].1, Check::Recoded);
}

/// The whole catalogue against the folder of test data. Skipped where that is absent.
#[test]
fn the_test_data_are_the_known_ones() {
    let root = std::env::var_os("PERTURB_DATA").map(std::path::PathBuf::from);
    let root =
        root.unwrap_or_else(|| std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"));
    if !root.join("SHA256SUMS").exists() {
        eprintln!("skipped: {} does not hold the test data; set PERTURB_DATA", root.display());
        return;
    }
    for entry in perturb_data::registry::entries().iter().filter(|e| e.name != "cifar10") {
        assert!(entry.is_present(&root), "{}: {:?}", entry.name, entry.missing(&root));
        for (path, check) in entry.check(&root).unwrap() {
            assert!(matches!(check, Check::Published | Check::Recoded), "{}: {check:?}", path.display());
        }
    }
}

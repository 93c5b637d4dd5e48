//! One file over HTTP: in pieces, continued after interruptions, never longer than expected, never waiting forever.

use crate::error::{DataError, Result};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

/// A connection over which nothing comes for this long is given up.
const SILENCE: Duration = Duration::from_secs(60);

/// So many attempts in a row may bring nothing new.
const ATTEMPTS: u32 = 4;

/// What is to be fetched.
pub(super) struct Transfer<'a> {
    pub(super) address: &'a str,
    /// The file's final place; until it is complete and checked it has `.part` added.
    pub(super) target: &'a Path,
    /// No more bytes than this are taken.
    pub(super) limit: u64,
}

/// A fetched file that has not got its name yet.
pub(super) struct Partial {
    /// Locked against other processes as long as this exists.
    file: File,
    path: PathBuf,
    target: PathBuf,
}

/// Why an attempt ended early.
enum Failure {
    /// Trying again may help.
    Passing(String),
    /// It will not.
    Final(DataError),
}

impl Transfer<'_> {
    /// Fetches the file; `progress` hears of bytes that are here and bytes in all.
    pub(super) fn fetch(&self, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<Partial> {
        let mut partial = self.open()?;
        // Redirections are followed; a status that means an error is looked at below.
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .user_agent(concat!("perturb/", env!("CARGO_PKG_VERSION")));
        let agent: Agent = config.build().into();
        let mut fruitless = 0;
        loop {
            let before = partial.length()?;
            match self.attempt(&agent, &mut partial, before, progress) {
                Ok(()) => return Ok(partial),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(reason)) => {
                    fruitless = if partial.length()? > before { 0 } else { fruitless + 1 };
                    if fruitless == ATTEMPTS {
                        return Err(self.failed(format!("{reason}; run the command again to go on where it stopped")));
                    }
                    std::thread::sleep(Duration::from_millis(50) * 3u32.pow(fruitless));
                }
            }
        }
    }

    fn open(&self) -> Result<Partial> {
        create_folder(self.target)?;
        let path = with_suffix(self.target, ".part");
        let write = |source| DataError::Write { path: path.clone(), source };
        let file = File::options().create(true).read(true).append(true).open(&path).map_err(write)?;
        match file.try_lock() {
            Ok(()) => Ok(Partial { file, path, target: self.target.to_path_buf() }),
            Err(fs::TryLockError::WouldBlock) => {
                Err(self.failed("another process is fetching it; wait for that, or stop it".to_string()))
            }
            Err(fs::TryLockError::Error(source)) => Err(write(source)),
        }
    }

    fn failed(&self, reason: String) -> DataError {
        DataError::Download { address: self.address.to_string(), reason }
    }

    fn too_long(&self) -> Failure {
        let reason = format!("more than {} bytes come, which is not the file expected", self.limit);
        Failure::Final(self.failed(reason))
    }

    /// Fetches from byte `start` to the end.
    fn attempt(
        &self,
        agent: &Agent,
        partial: &mut Partial,
        start: u64,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<(), Failure> {
        let mut request = agent.get(self.address);
        if start > 0 {
            request = request.header(header::RANGE, format!("bytes={start}-"));
        }
        let response = request.call().map_err(|e| Failure::Passing(format!("{e}; check the network connection")))?;
        let status = response.status();
        let (start, total) = match status {
            StatusCode::PARTIAL_CONTENT => match content_range(&response) {
                Some((first, total)) if first == start => (start, total),
                _ => return Err(self.restart(partial, "the server sends another part than asked for")),
            },
            StatusCode::OK => {
                // The server knows no parts: all of it comes.
                partial.clear().map_err(Failure::Final)?;
                (0, response.body().content_length())
            }
            StatusCode::RANGE_NOT_SATISFIABLE if content_range_total(&response) == Some(start) => return Ok(()),
            StatusCode::RANGE_NOT_SATISFIABLE => return Err(self.restart(partial, "the file has become shorter")),
            _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(Failure::Passing(format!("the server answers {status}")));
            }
            _ => {
                let reason = format!("the server answers {status}; it may have moved: look for it at its publication");
                return Err(Failure::Final(self.failed(reason)));
            }
        };
        if total.is_some_and(|total| total > self.limit) {
            return Err(self.too_long());
        }
        self.receive(response.into_body(), partial, start, total, progress)
    }

    fn restart(&self, partial: &mut Partial, reason: &str) -> Failure {
        match partial.clear() {
            Ok(()) => Failure::Passing(reason.to_string()),
            Err(error) => Failure::Final(error),
        }
    }

    fn receive(
        &self,
        body: Body,
        partial: &mut Partial,
        start: u64,
        total: Option<u64>,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<(), Failure> {
        // Reading has no time limit of its own between two pieces; so another thread reads, and this one has patience.
        let (send, pieces) = sync_channel::<std::io::Result<Vec<u8>>>(4);
        let mut reader = body.into_reader();
        std::thread::spawn(move || {
            loop {
                let mut piece = vec![0; 1 << 16];
                let read = reader.read(&mut piece).map(|n| {
                    piece.truncate(n);
                    piece
                });
                let last = read.as_ref().map_or(true, Vec::is_empty);
                if send.send(read).is_err() || last {
                    break;
                }
            }
        });
        let mut done = start;
        loop {
            progress(done, total);
            let piece = match pieces.recv_timeout(SILENCE) {
                Ok(Ok(piece)) => piece,
                Ok(Err(e)) => return Err(Failure::Passing(format!("the connection broke ({e})"))),
                Err(RecvTimeoutError::Timeout) => return Err(Failure::Passing("the server fell silent".to_string())),
                Err(RecvTimeoutError::Disconnected) => return Err(Failure::Passing("reading ended".to_string())),
            };
            if piece.is_empty() {
                break;
            }
            done += piece.len() as u64;
            if done > self.limit {
                return Err(self.too_long());
            }
            partial.append(&piece).map_err(Failure::Final)?;
        }
        match total {
            Some(total) if done < total => Err(Failure::Passing(format!("{done} of {total} bytes came"))),
            _ => Ok(()),
        }
    }
}

impl Partial {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn write_error(&self) -> impl FnOnce(std::io::Error) -> DataError + use<> {
        let path = self.path.clone();
        move |source| DataError::Write { path, source }
    }

    fn length(&mut self) -> Result<u64> {
        let error = self.write_error();
        self.file.seek(SeekFrom::End(0)).map_err(error)
    }

    fn clear(&mut self) -> Result<()> {
        self.file.set_len(0).map_err(self.write_error())
    }

    fn append(&mut self, piece: &[u8]) -> Result<()> {
        let error = self.write_error();
        self.file.write_all(piece).map_err(error)
    }

    /// Gives the file its name.
    pub(super) fn finish(self) -> Result<()> {
        self.file.sync_all().map_err(self.write_error())?;
        fs::rename(&self.path, &self.target).map_err(self.write_error())
    }

    /// Keeps the file under a name that says that it is not the one expected, and returns its place.
    pub(super) fn set_aside(&mut self) -> Result<PathBuf> {
        let kept = with_suffix(&self.target, ".mismatch");
        fs::rename(&self.path, &kept).map_err(self.write_error())?;
        Ok(kept)
    }

    /// Deletes the file.
    pub(super) fn remove(self) -> Result<()> {
        fs::remove_file(&self.path).map_err(self.write_error())
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// First byte and length of the whole, from `bytes 5-9/10`.
fn content_range(response: &Response<Body>) -> Option<(u64, Option<u64>)> {
    let value = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

/// Length of the whole, from `bytes */10`.
fn content_range_total(response: &Response<Body>) -> Option<u64> {
    let value = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    value.strip_prefix("bytes */")?.parse().ok()
}

/// Makes the folder that `file` lies in.
pub(super) fn create_folder(file: &Path) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|source| DataError::Write { path: folder.to_path_buf(), source })
}

//! A small HTTP server on this machine that misbehaves on demand.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How a path is answered.
#[derive(Clone, Debug, Default)]
pub struct Resource {
    /// The file.
    pub content: Vec<u8>,
    /// Whether parts may be asked for.
    pub parts: bool,
    /// The connection breaks after this many bytes of each answer.
    pub breaks_after: Option<usize>,
    /// So many answers first are this status.
    pub errors: (usize, u16),
    /// Where the file is really.
    pub moved_to: Option<String>,
}

/// Path and `Range` of each request.
type Log = Mutex<Vec<(String, Option<String>)>>;

/// Runs until the test ends.
pub struct Server {
    pub address: String,
    resources: Arc<Mutex<HashMap<String, Resource>>>,
    pub requests: Arc<Log>,
}

impl Server {
    pub fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let server = Server { address, resources: Arc::default(), requests: Arc::default() };
        let (resources, requests) = (Arc::clone(&server.resources), Arc::clone(&server.requests));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that hangs up early is part of the tests.
                let _ = answer(stream.unwrap(), &resources, &requests);
            }
        });
        server
    }

    pub fn put(&self, path: &str, resource: Resource) {
        self.resources.lock().unwrap().insert(format!("/{path}"), resource);
    }

    pub fn ranges(&self) -> Vec<Option<String>> {
        self.requests.lock().unwrap().iter().map(|(_, range)| range.clone()).collect()
    }
}

fn answer(mut stream: TcpStream, resources: &Mutex<HashMap<String, Resource>>, requests: &Log) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let path = lines.next().unwrap()?.split(' ').nth(1).unwrap().to_string();
    let headers: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let range = headers.iter().find_map(|h| h.to_lowercase().strip_prefix("range: ").map(str::to_string));
    requests.lock().unwrap().push((path.clone(), range.clone()));
    let resource = {
        let mut resources = resources.lock().unwrap();
        let Some(resource) = resources.get_mut(&path) else {
            return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        };
        if resource.errors.0 > 0 {
            resource.errors.0 -= 1;
            let status = resource.errors.1;
            return write!(stream, "HTTP/1.1 {status} Sorry\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        resource.clone()
    };
    if let Some(to) = resource.moved_to {
        return write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }
    let whole = resource.content.len();
    let start =
        range.filter(|_| resource.parts).map(|r| r.trim_start_matches("bytes=").trim_end_matches('-').to_string());
    let start = start.map(|s| s.parse::<usize>().unwrap());
    let head = match start {
        Some(start) if start >= whole => {
            let head = "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n";
            return write!(stream, "{head}Content-Range: bytes */{whole}\r\n\r\n");
        }
        Some(start) => {
            format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{}/{whole}\r\n", whole - 1)
        }
        None => "HTTP/1.1 200 OK\r\n".to_string(),
    };
    let body = &resource.content[start.unwrap_or(0)..];
    write!(stream, "{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body[..resource.breaks_after.unwrap_or(body.len()).min(body.len())])
}

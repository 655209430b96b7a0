//! The binary with an application beside it that keeps rights itself, over plain HTTP.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use super::entities::World;

/// An application that lets `ann` do what it is asked about, until it is told not to.
struct Application {
    addr: SocketAddr,
    lets: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Application {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let addr = listener.local_addr().expect("it listens");
        let (lets, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let (heard, counted) = (Arc::clone(&lets), Arc::clone(&asked));
        // It ends with the process.
        thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(tcp);
                let (head, question) = read(&mut reader);
                assert!(head.contains("sync-signature: t="), "{head}");
                let lets = heard.load(Ordering::SeqCst) && question["user"] == "ann";
                let count = question["checks"].as_array().map_or(0, Vec::len);
                counted.fetch_add(1, Ordering::SeqCst);
                let body = json!({ "allowed": vec![lets; count] }).to_string();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                reader.get_mut().write_all(answer.as_bytes()).expect("the server reads");
            }
        });
        Self { addr, lets, asked }
    }
}

/// Reads the head of a message, in lower case, and its body.
fn read(reader: &mut BufReader<TcpStream>) -> (String, Value) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).expect("it is text") > 0, "it ended early: {head}");
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
    reader.read_exact(&mut body).expect("a body is as long as it says");
    (head, serde_json::from_slice(&body).unwrap_or_default())
}

/// Sends a request, and returns the status and the body of the answer.
fn ask(addr: &str, token: &str, request: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let mut tcp = TcpStream::connect(addr).expect("the server listens");
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {token}\r\n");
    let head = format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    tcp.write_all(&[head.as_bytes(), body.as_bytes()].concat()).expect("the server reads");
    let (head, body) = read(&mut BufReader::new(tcp));
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body)
}

#[test]
fn an_application_decides_what_tokens_do_not() {
    let (world, application) = (World::new("rights"), Application::start());
    let settings = format!(
        "listen = '127.0.0.1:0'\ndata-dir = 'data'\n[types.price]\npolicy = 'lww'\n\
         [[token]]\nsecret = 'token of ann'\nuser = 'ann'\ngrants = []\n\
         [[token]]\nsecret = 'token of bob'\nuser = 'bob'\ngrants = []\n\
         [[token]]\nsecret = 'token of the operator'\nuser = 'operator'\ngrants = ['server=admin']\n\
         [auth.webhook]\nurl = 'http://{}/rights'\nsecret = 'sesame'\nttl-ms = 3600000\n",
        application.addr
    );
    fs::write(world.folder.join("syncline.toml"), settings).expect("the folder is writable");
    let server = world.serve();
    let push = |token: &str, device: &str, n: u64| {
        let op = json!({ "n": n.to_string(), "op": "create", "type": "price", "id": format!("{device}{n}"), "set": {} });
        let body = json!({ "device_id": device, "ops": [op] });
        let (status, answer) = ask(&server.addr, token, "POST /sync/v1/push", &body);
        assert_eq!(status, 200, "{answer}");
        answer["results"][0]["status"].clone()
    };
    for (token, device) in [("token of ann", "phone"), ("token of bob", "till")] {
        let bound = ask(&server.addr, token, "POST /sync/v1/devices", &json!({ "device_id": device }));
        assert_eq!(bound.0, 201, "{bound:?}");
    }
    assert_eq!(push("token of ann", "phone", 1), "applied");
    assert_eq!(push("token of ann", "phone", 2), "applied");
    assert_eq!(push("token of bob", "till", 1), "rejected");
    assert_eq!(application.asked.load(Ordering::SeqCst), 2, "each decision counts for an hour");

    application.lets.store(false, Ordering::SeqCst);
    assert_eq!(push("token of ann", "phone", 3), "applied", "nobody has said that it has changed");
    let forget = ("POST /auth/v1/forget", json!({ "user": "ann" }));
    assert_eq!(ask(&server.addr, "token of ann", forget.0, &forget.1).0, 403);
    let forgotten = ask(&server.addr, "token of the operator", forget.0, &forget.1);
    assert_eq!(forgotten, (200, json!({ "forgotten": 1 })));
    assert_eq!(push("token of ann", "phone", 4), "rejected");
    server.stop();
}

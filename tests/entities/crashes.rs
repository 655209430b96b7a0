//! What devices send while the server is killed has one effect.

use std::{
    env,
    sync::mpsc::{Sender, channel},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use super::{
    app::{App, Failure, Frozen},
    server::Server,
};

const KILLS: u64 = 50;
const DEVICES: [&str; 3] = ["ann", "bob", "cat"];
/// Pushes of a device in one life of the server.
const PUSHES: u64 = 4;

/// A device, and what must hold of it.
struct Writer {
    app: App,
    /// What it has added to its own count and to that of all.
    added: u64,
    ops: u64,
    /// What it sent last that was answered, and the results.
    told: Option<(Vec<Frozen>, Vec<Value>)>,
}

impl Writer {
    fn add(&mut self, random: &mut Random) {
        let amount = random.below(9) + 1;
        self.added += amount;
        self.ops += 1;
        let device = self.app.device.clone();
        self.app.add("stock", "s", json!({ "qty": amount, device: amount }));
    }

    /// Sends all that waits, as long as there are answers.
    fn push(&mut self, server: &Server, answers: &Sender<()>) {
        loop {
            let batch = self.app.freeze();
            if batch.is_empty() {
                return;
            }
            match self.app.send(server, &batch) {
                Ok(answer) => {
                    self.app.pushed(&answer);
                    self.told = Some((batch, results(&answer)));
                    // Whoever counts them may have counted enough.
                    let _ = answers.send(());
                }
                Err(Failure::Lost(_)) => return,
                Err(Failure::Refused(problem)) => panic!("{}: {problem}", self.app.device),
            }
        }
    }

    /// Sends again what was answered in an earlier life of the server.
    fn ask_again(&self, server: &Server) {
        let Some((batch, told)) = &self.told else { return };
        let answer = self.app.send(server, batch).expect("the server runs");
        assert_eq!(results(&answer), *told);
        let statuses = answer["results"].as_array().expect("a list").iter().map(|result| &result["status"]);
        assert!(statuses.clone().all(|status| status == "duplicate"), "{answer}");
    }
}

/// Returns what was first told of each op.
fn results(answer: &Value) -> Vec<Value> {
    let results = answer["results"].as_array().expect("a list").iter();
    results.map(|result| if result["of"].is_object() { &result["of"] } else { result }.clone()).collect()
}

/// Three devices add to one record while the server is killed, again and again: after a random number of answers and a moment
/// more, so that some requests have not arrived, some are not durable, and some answers are lost. Each device sends its very
/// bytes again. In the end all sums are right, and the record has changed as often as there were ops.
///
/// `SYNCLINE_SEED` plays one run again, as far as the machine allows.
#[test]
fn every_op_has_one_effect_through_50_kills() {
    let mut random = Random::seeded();
    let form = json!({ "policy": "additive" });
    let mut server = Server::start(&[("stock", form)]);
    let mut writers = DEVICES.map(|name| {
        let mut app = App::install(&server, name, &["stock"]);
        app.batch = 3;
        Writer { app, added: 0, ops: 0, told: None }
    });
    writers[0].app.create("stock", "s", json!({ "qty": 0 }));
    writers[0].app.sync(&server).expect("the server runs");
    for _ in 0..KILLS {
        for writer in &mut writers {
            (0..random.below(PUSHES * 3) + 1).for_each(|_| writer.add(&mut random));
        }
        push_until_killed(&server, &mut writers, &mut random);
        server.restart();
        let writer = &mut writers[random.below(3) as usize];
        writer.ask_again(&server);
        writer.app.pull(&server).expect("the server runs");
    }
    for writer in &mut writers {
        writer.app.sync(&server).expect("the server runs");
    }
    for writer in &mut writers {
        writer.app.sync(&server).expect("the server runs");
    }
    check(&writers);
}

fn push_until_killed(server: &Server, writers: &mut [Writer], random: &mut Random) {
    let (sender, answers) = channel();
    thread::scope(|scope| {
        for writer in writers {
            let sender = sender.clone();
            scope.spawn(move || writer.push(server, &sender));
        }
        drop(sender);
        answers.iter().take(random.below(3 * PUSHES) as usize).for_each(drop);
        (0..random.below(2_000)).for_each(|_| thread::yield_now());
        server.kill();
    });
}

fn check(writers: &[Writer]) {
    let ops: u64 = writers.iter().map(|writer| writer.ops).sum();
    for Writer { app, .. } in writers {
        assert_eq!((app.pending(), app.dead.len(), app.resets.len()), (0, 0, 0));
        assert_eq!(app.held(), writers[0].app.held());
        let live = app.rows.live("stock");
        let (ver, stock) = live.first_key_value().expect("it was created").1;
        assert_eq!(*ver, 1 + ops, "each op changes the record once");
        assert_eq!(stock["qty"], json!(writers.iter().map(|writer| writer.added).sum::<u64>()));
        for writer in writers {
            assert_eq!(stock[&writer.app.device], json!(writer.added));
        }
    }
}

/// Random numbers after Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let given = env::var("SYNCLINE_SEED").ok().and_then(|seed| seed.parse().ok());
        let now =
            || SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock behind 1970").as_nanos() as u64;
        let seed = given.unwrap_or_else(now);
        println!("SYNCLINE_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

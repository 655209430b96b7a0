//! Two tenants of one server who call everything by the same names, over a crash, and on the data folder behind it.

use serde_json::{Value, json};

use super::{app::App, http, server::Server};

const TENANTS: [&str; 2] = ["acme", "globex"];

/// A tenant, as its administrator and only user sees it.
struct Tenant {
    name: &'static str,
    token: String,
    apps: [App; 2],
}

impl Tenant {
    fn open(server: &Server, name: &'static str) -> Self {
        let token = server.token_of(name, "ann", &["*=admin"]);
        ask(server, &token, "PUT /sync/v1/types/quote", &json!({ "policy": "manual" }));
        let apps = ["phone", "till"].map(|device| App::install_by(server, device, &token, &["quote"]));
        Self { name, token, apps }
    }

    /// Has two devices write the same record without seeing each other.
    fn quarrel(&mut self, server: &Server) {
        self.apps[0].create("quote", "q", json!({ "said": format!("first by {}", self.name) }));
        self.apps.iter_mut().for_each(|app| app.sync(server).expect("it is online"));
        for app in &mut self.apps {
            app.update("quote", "q", json!({ "said": format!("{} by {}", app.device, self.name) }));
            app.sync(server).expect("it is online");
        }
        self.apps[0].sync(server).expect("it is online");
    }

    /// Returns all that the tenant reads, as text.
    fn reads(&mut self, server: &Server) -> String {
        self.apps.iter_mut().for_each(|app| app.sync(server).expect("it is online"));
        let mut all: String = self.apps.iter().map(|app| app.held().to_string()).collect();
        for path in
            ["conflicts", "conflicts/cnf_1", "devices", "types", "status?device_id=phone&type=quote&id=q"]
        {
            all += &ask(server, &self.token, &format!("GET /sync/v1/{path}"), &Value::Null).to_string();
        }
        all
    }

    fn check(&self, text: &str) {
        let other = TENANTS.into_iter().find(|name| *name != self.name).expect("there are two");
        assert!(text.contains(&format!("by {}", self.name)), "{text}");
        assert!(!text.contains(&format!("by {other}")), "{text}");
    }
}

fn ask(server: &Server, token: &str, request: &str, body: &Value) -> Value {
    let (status, answer) =
        http::ask(server.addr, token, request, &body.to_string()).expect("the server answers");
    assert!(status < 300, "{request}: {status} {answer}");
    answer
}

#[test]
fn tenants_of_one_process_never_meet() {
    let mut server = Server::start_guarded(&[]);
    let mut tenants = TENANTS.map(|name| Tenant::open(&server, name));
    tenants.iter_mut().for_each(|tenant| tenant.quarrel(&server));
    for tenant in &mut tenants {
        let all = tenant.reads(&server);
        tenant.check(&all);
    }
    // What is stored after a crash is each one's own, too.
    server.kill();
    server.restart();
    for tenant in &mut tenants {
        let all = tenant.reads(&server);
        tenant.check(&all);
    }
    assert_eq!(server.conflicts().len(), 0, "the tenant of whoever names none has none");
    server.kill();

    for tenant in &tenants {
        let of = |words: &[&str]| server.command(&[words, &["--tenant", tenant.name]].concat());
        let mut all = of(&["entities", "export"]) + &of(&["conflicts", "show", "cnf_1"]);
        all += &of(&["audit", "export"]);
        tenant.check(&all);
        assert!(of(&["devices", "list"]).contains("phone") && of(&["types"]).contains("quote"));
        assert!(of(&["audit", "verify"]).contains("the chain is whole"));
        assert!(of(&["verify"]).contains("nothing is damaged"));
        assert_eq!(of(&["doc", "list"]), "");
    }
    assert!(!server.command(&["types"]).contains("quote"), "it is in other tenants");
    assert!(server.command(&["verify"]).contains("2 tenants besides default"));
    for words in
        [&["types"][..], &["doc", "list"], &["verify"], &["audit", "verify"], &["entities", "export"]]
    {
        let refused = server.refused(&[words, &["--tenant", "nobody"]].concat());
        assert_eq!(refused, "error: there is no tenant \"nobody\" in the data folder\n");
    }
}

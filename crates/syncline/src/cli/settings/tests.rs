use std::{error::Error, iter};

use super::*;

fn file(text: &str) -> Result<File, toml::de::Error> {
    toml::from_str(text)
}

#[test]
fn a_flag_counts_more_than_the_file_and_that_more_than_the_default() {
    let kept = "audit-retention-days = 400\nevent-retention-days = 0";
    let kept = ServeArgs::default().over(file(kept).unwrap()).unwrap().server;
    assert_eq!((kept.audit_retention_days, kept.event_retention_days), (Some(400), None));
    let text = "listen = '[::1]:1'\nmemory-mb = 5\nallow-origin = ['https://a.example']\nlog-format = 'json'";
    let args = ServeArgs { memory_mb: Some(7), ..ServeArgs::default() };
    let settings = args.over(file(text).unwrap()).unwrap();
    assert_eq!(settings.server.listen.to_string(), "[::1]:1");
    assert_eq!(settings.server.memory_bytes, 7 << 20);
    assert_eq!(settings.server.allow_origins[0].to_string(), "https://a.example");
    assert_eq!(settings.log_format, LogFormat::Json);
    assert_eq!((settings.log.as_str(), settings.data_dir), ("info", DATA_DIR.into()));
    let typed = file("[types.note]\npolicy = 'lww'\n[types.stock]\npolicy = 'additive'").unwrap();
    assert_eq!(ServeArgs::default().over(typed).unwrap().server.types.len(), 2);
}

#[test]
fn what_the_file_says_wrongly_is_an_error() {
    let check = |text: &str, want: &str| {
        let error = file(text).map(drop).unwrap_err().to_string();
        assert!(error.contains(want), "{text:?}: {error}");
    };
    check("lisen = '127.0.0.1:80'", "unknown field `lisen`");
    check("listen = 'localhost'", "invalid socket address");
    check("memory-mb = -1", "invalid value");
    check("trusted-proxies = ['proxy']", "a network is an address");
    check("[quota]\nmessages = 1", "unknown field `messages`");

    check("[types.note]\npolicy = 'lww'\nfeilds = {}", "unknown field `feilds`");
    check("[types.'a b']\npolicy = 'lww'", "character");
    check("[[token]]\ngrants = []", "missing field `secret`");
    check("[[token]]\nsecret = 'x'\ngrants = ['doc:*=all']", "an action is read");
    check("[[token]]\nsecret = 'x'\ngrants = ['docs:*=read']", "a resource is doc:NAME");
    check("[[token]]\nsecret = 'x'\nuser = 'ann'", "missing field `grants`");
    let text = "[[token]]\nsecret = 'long enough'\ntenant = ''\nuser = 'ann'\ngrants = []";
    let nobodys = ServeArgs::default().over(file(text).unwrap());
    assert!(matches!(nobodys, Err(SettingsError::Tenant { .. })));
    let claimed = file("[auth]\nkeys = '/nowhere'\ntenant-claim = 'sub'").unwrap();
    assert!(matches!(ServeArgs::default().over(claimed), Err(SettingsError::TenantClaim)));

    let token = |secret: &str, user: &str| {
        format!(
            "[[token]]\nsecret = '{secret}'\nuser = '{user}'\ngrants = ['*=admin']\nclaims = {{ area = 7 }}\n"
        )
    };
    let short = file(&token("x", "ann")).unwrap();
    assert!(matches!(ServeArgs::default().over(short), Err(SettingsError::ShortToken)));
    let nobody = file(&token("long enough", "")).unwrap();
    assert!(matches!(ServeArgs::default().over(nobody), Err(SettingsError::User { .. })));
    let twice = file(&(token("long enough", "ann") + &token("long enough", "bob"))).unwrap();
    assert!(matches!(ServeArgs::default().over(twice), Err(SettingsError::SameSecret)));
    let good = file(&token("long enough", "ann")).unwrap();
    assert!(!format!("{good:?}").contains("long enough"), "secrets stay out of logs");
    assert!(ServeArgs::default().over(good).unwrap().server.authenticator.is_some());
    let half = file("tls-cert = 'x.pem'").unwrap();
    assert!(matches!(ServeArgs::default().over(half), Err(SettingsError::HalfTls)));
    let keys = file("[auth]\nkeys = '/nowhere'\naudience = 'notes'\ngrants = ['doc:*=read']").unwrap();
    assert!(matches!(ServeArgs::default().over(keys), Err(SettingsError::Read { .. })));
    let wrong = file("[types.note]\npolicy = 'lww'\nclosed = true").unwrap();
    assert!(matches!(ServeArgs::default().over(wrong), Err(SettingsError::Type { .. })));
    let alone = file("[auth.webhook]\nurl = 'http://127.0.0.1:9/'").unwrap();
    assert!(matches!(ServeArgs::default().over(alone), Err(SettingsError::AuthKeys)));
    let with_token = format!("{}[auth.webhook]\nurl = 'http://127.0.0.1:9/'", token("long enough", "ann"));
    assert!(ServeArgs::default().over(file(&with_token).unwrap()).unwrap().server.webhook.is_some());
    let suggest = file("[suggest]\nurl = 'http://merge.example/'\nsecret = 'sesame'").unwrap();
    assert!(!format!("{suggest:?}").contains("sesame"), "secrets stay out of logs");
    assert!(ServeArgs::default().over(suggest).unwrap().server.suggest.is_some());
    let wrong = file("suggest = { url = 'merge.example' }").unwrap();
    assert!(matches!(ServeArgs::default().over(wrong), Err(SettingsError::Suggest { .. })));
    let wrong = file("allow-origin = ['*']").unwrap();
    assert!(matches!(ServeArgs::default().over(wrong), Err(SettingsError::Origin { .. })));
}

/// Goal: a secret at the wrong place is shown to nobody. Method: under misspelled keys, as a value of another kind, and where an error
/// of our own says what it found.
#[test]
fn a_line_that_is_wrong_is_named_and_not_shown() {
    for (text, line, told) in [
        ("[[token]]\nsecrett = \"canary-of-a-token\"\n", 2, "`secrett`"),
        ("[[hooks]]\nsecrets = \"canary-of-a-hook\"\n", 2, "`secrets`"),
        ("listen = \"127.0.0.1:0\"\ntokens = \"canary-of-a-file\"\n", 2, "`tokens`"),
        ("log = \"info\"\n\ntoken = \"canary\"\n", 3, "`token`: expected a sequence"),
        ("hooks = \"whsec_canary\"\n", 1, "`hooks`: expected a sequence"),
        ("suggest = \"canary, expected nothing\"\n", 1, "`suggest`: expected"),
        ("[[token]]\nsecret = [\"canary\"]\n", 2, "`secret`: expected a string"),
        ("[[token]]\nsecret = [\n\"canary\",\n]\n", 2, "`secret`: expected a string"),
        ("[[token]]\nsecret = { canary = 1 }\n", 2, "`secret`: expected a string"),
        (
            "[[token]]\nuser = \"ann\"\ngrants = [\"*=admin\"]\nsecret = 1010101\n",
            4,
            "`secret`: expected a string",
        ),
        ("memory-mb = \"canary\"\n", 1, "`memory-mb`: expected"),
        ("log-format = \"canary\"\n", 1, "`log-format`: expected"),
        ("[types.note]\npolicy = \"lww\"\nbuckets = [\"canary\"]\n", 3, ""),
        ("listen = \"127.0.0.1:0\"\ntoken = canary\n", 2, "quoted"),
        ("token = \"canary\n", 1, ""),
    ] {
        let error = read(Path::new("syncline.toml"), text).map(drop).expect_err("it is wrong").to_string();
        assert!(error.starts_with(&format!("syncline.toml, line {line}: ")), "{text}: {error}");
        assert!(error.contains(told), "{text}: {error}");
        assert!(!error.contains("canary") && !error.contains("1010101"), "{error}");
    }
    let token = |user: &str| format!("[[token]]\nsecret = 'long enough'\nuser = '{user}'\ngrants = []\n");
    for (text, told) in [
        (token(&"canary".repeat(99)), "`[[token]]` number 1"),
        ("allow-origin = ['http://a', 'canary']".into(), "`allow-origin` number 2"),
        ("[auth]\nkeys = 'x'\ntenant-claim = 'sub'".into(), "`tenant-claim`"),
        (
            "[[hooks]]\nname = 'whsec_Canary'\nurl = 'http://a/canary'\nsecret = 'canary'".into(),
            "the hook number 1",
        ),
    ] {
        let error = ServeArgs::default().over(file(&text).expect("TOML")).map(drop).expect_err("it is wrong");
        let errors = iter::successors(Some(&error as &dyn Error), |&error| error.source());
        let said: Vec<_> = errors.map(ToString::to_string).collect();
        assert!(said[0].contains(told), "{said:?}");
        assert!(!said.concat().to_lowercase().contains("canary"), "{said:?}");
    }
}

/// What belongs there is told, whatever else the file says.
#[test]
fn other_values_hide_no_error() {
    let text = "log = 'all'\n[history]\nkeep = 'all'\n[[history.rooms]]\nname = 'a'\nkeep = 'weekly'\n";
    let error = read(Path::new("syncline.toml"), text).map(drop).expect_err("it is wrong").to_string();
    assert!(error.contains("number of days") && !error.contains("weekly"), "{error}");
}

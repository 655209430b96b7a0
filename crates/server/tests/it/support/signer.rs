//! Devices that sign their requests.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::Value;
use syncline_protocol::wire::signature::content_digest;

/// The other half of a key.
pub(crate) struct Signer {
    pair: Ed25519KeyPair,
    device: String,
    made: AtomicU64,
}

impl Signer {
    pub(crate) fn new(device: &str, seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed has 32 bytes");
        Self { pair, device: device.into(), made: AtomicU64::new(0) }
    }

    /// Returns the key as requests name it.
    pub(crate) fn key(&self) -> String {
        BASE64URL_NOPAD.encode(self.pair.public_key().as_ref())
    }

    /// Returns the headers of a signed request, each a line.
    pub(crate) fn headers(&self, request: &str, body: &Value) -> String {
        headers(request, body, &[("sig", self)])
    }

    fn sign(&self, label: &str, request: &str, digest: &str) -> [String; 2] {
        let (method, target) = request.split_once(' ').expect("a method and a path");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        // Ahead of the server by less than it minds: what was made in the second in which it started is refused.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is past 1970").as_secs() + 2;
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        let params = format!(
            "(\"@method\" \"@path\" \"@query\" \"content-digest\");created={now};expires={};nonce=\"nonce-{made:016}\";\
             alg=\"ed25519\";keyid=\"{}\";tag=\"syncline\"",
            now + 60,
            self.device
        );
        let signed = format!(
            "\"@method\": {method}\n\"@path\": {path}\n\"@query\": ?{query}\n\"content-digest\": {digest}\n\
             \"@signature-params\": {params}"
        );
        let signature = BASE64.encode(self.pair.sign(signed.as_bytes()).as_ref());
        [format!("{label}={params}"), format!("{label}=:{signature}:")]
    }
}

/// Returns the headers of a request that several keys have signed, under their labels.
pub(crate) fn headers(request: &str, body: &Value, signers: &[(&str, &Signer)]) -> String {
    headers_of(request, body.to_string().as_bytes(), signers)
}

pub(crate) fn headers_of(request: &str, body: &[u8], signers: &[(&str, &Signer)]) -> String {
    let digest = content_digest(body);
    let signed = signers.iter().map(|(label, signer)| signer.sign(label, request, &digest));
    let (inputs, signatures): (Vec<_>, Vec<_>) = signed.map(|[input, signature]| (input, signature)).unzip();
    format!(
        "Content-Digest: {digest}\r\nSignature-Input: {}\r\nSignature: {}\r\n",
        inputs.join(", "),
        signatures.join(", ")
    )
}

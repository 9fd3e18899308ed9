//! What is believed and what is not: tokens made here, with a key of each kind that can be made here.

use std::collections::BTreeMap;

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value, json};

use super::*;
use crate::model::access::{Reach, Scope};

const NOW: i64 = 1_712_000_000;

/// The two kinds of keys that are made without waiting.
struct Keys {
    curve: EcdsaKeyPair,
    edwards: Ed25519KeyPair,
}

fn coded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Keys {
    fn new() -> Self {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let curve = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap();
        let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self { curve, edwards: Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap() }
    }

    fn published(&self) -> Value {
        let point = &self.curve.public_key().as_ref()[1..];
        let edwards = coded(self.edwards.public_key().as_ref());
        json!({"keys": [
            {"kty": "EC", "crv": "P-256", "kid": "c", "use": "sig", "x": coded(&point[..32]), "y": coded(&point[32..])},
            {"kty": "OKP", "crv": "Ed25519", "kid": "e", "alg": "EdDSA", "x": edwards},
            {"kty": "oct", "kid": "c", "k": "c2VjcmV0"},
            {"kty": "EC", "crv": "P-256", "kid": "enc", "use": "enc", "x": coded(&point[..32]), "y": coded(&point[32..])},
            "nonsense",
        ]})
    }

    fn set(&self) -> KeySet {
        KeySet::read(self.published().to_string().as_bytes()).unwrap()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let coded_json = |value: &Value| coded(value.to_string().as_bytes());
        let signed = format!("{}.{}", coded_json(header), coded_json(claims));
        let signature = match header["alg"].as_str() {
            Some("EdDSA") => self.edwards.sign(signed.as_bytes()).as_ref().to_vec(),
            Some("none") => Vec::new(),
            _ => {
                let signed = self.curve.sign(&SystemRandom::new(), signed.as_bytes());
                signed.unwrap().as_ref().to_vec()
            }
        };
        format!("{signed}.{}", coded(&signature))
    }
}

fn grant(scope: Scope) -> Arc<Grant> {
    Arc::new(Grant { scopes: [scope].into(), reach: Reach::default() })
}

fn issuer() -> Issuer {
    let rule = |claim: &str, is: &str, scope| Rule {
        claim: claim.to_owned(),
        is: is.to_owned(),
        grant: grant(scope),
    };
    Issuer {
        issuer: "https://sso.example/province".to_owned(),
        audience: "iocgw".to_owned(),
        algorithms: [Algorithm::ES256, Algorithm::EdDsa].into(),
        longest: 86_400,
        rules: vec![
            rule("/realm_access/roles", "operator", Scope::Operate),
            rule("/team", "ioc", Scope::Read),
        ],
    }
}

fn header() -> Value {
    json!({"alg": "ES256", "kid": "c", "typ": "JWT"})
}

fn claims() -> Value {
    json!({"iss": "https://sso.example/province", "aud": "iocgw", "sub": "CANARY-SUBJECT",
           "exp": NOW + 300, "nbf": NOW - 10, "team": "ioc"})
}

/// The claims with these ones otherwise; null takes one away.
fn with(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => _ = claims.as_object_mut().unwrap().remove(name),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn judged(token: &str, keys: &KeySet) -> Result<Believed, Doubt> {
    Presented::read(token)?.check(&issuer(), keys, Stamp(NOW))
}

#[test]
fn a_good_token_opens_what_the_first_fitting_rule_says_until_it_is_over() {
    let keys = Keys::new();
    let set = keys.set();
    assert_eq!(set.len(), 2, "symmetric keys, other purposes and nonsense are passed over");
    let believed = judged(&keys.sign(&header(), &claims()), &set).unwrap();
    assert_eq!(believed.subject, "CANARY-SUBJECT");
    assert_eq!((&believed.grant, believed.expires), (&grant(Scope::Read), Stamp(NOW + 360)));
    let both = with(&json!({"realm_access": {"roles": ["x", "operator"]}, "aud": ["y", "iocgw"]}));
    let edwards = json!({"alg": "EdDSA", "kid": "e", "typ": "at+jwt"});
    let believed = judged(&keys.sign(&edwards, &both), &set).unwrap();
    assert_eq!(believed.grant, grant(Scope::Operate));
    let mut scoped = issuer();
    scoped.rules[0].claim = "/scope".to_owned();
    for (scope, fits) in [("a operator b", true), ("operators", false), ("operator", true)] {
        let token = keys.sign(&header(), &with(&json!({"scope": scope, "team": null})));
        let believed = Presented::read(&token).unwrap().check(&scoped, &set, Stamp(NOW)).unwrap();
        assert_eq!(believed.grant.scopes.is_empty(), !fits, "{scope}");
    }
    let nobody = judged(&keys.sign(&header(), &with(&json!({"team": "other"}))), &set).unwrap();
    assert!(nobody.grant.scopes.is_empty(), "a good token that no rule fits opens nothing");
    let unnamed = json!({"alg": "ES256"});
    assert!(judged(&keys.sign(&unnamed, &claims()), &set).is_ok(), "the only key of that kind");
}

#[test]
fn c05_whatever_is_wrong_with_a_token_it_is_not_believed() {
    let keys = Keys::new();
    let set = keys.set();
    let cases = [
        (header(), json!({"iss": "https://sso.example/province/"}), Doubt::Issuer),
        (header(), json!({"iss": null}), Doubt::Issuer),
        (header(), json!({"aud": "another"}), Doubt::Audience),
        (header(), json!({"aud": ["another", 7]}), Doubt::Audience),
        (header(), json!({"aud": null}), Doubt::Audience),
        (header(), json!({"exp": NOW - 60}), Doubt::Expired),
        (header(), json!({"exp": null}), Doubt::TooLong),
        (header(), json!({"exp": "later"}), Doubt::TooLong),
        (header(), json!({"exp": NOW + 90_000}), Doubt::TooLong),
        (header(), json!({"exp": 1e300}), Doubt::TooLong),
        (header(), json!({"nbf": NOW + 61}), Doubt::NotYet),
        (header(), json!({"sub": null}), Doubt::Subject),
        (header(), json!({"sub": ""}), Doubt::Subject),
        (header(), json!({"sub": "x".repeat(300)}), Doubt::Subject),
        (json!({"alg": "none"}), json!({}), Doubt::Header),
        (json!({"alg": "HS256", "kid": "c"}), json!({}), Doubt::Header),
        (json!({"alg": "RS256", "kid": "c"}), json!({}), Doubt::Header),
        (json!({"alg": "ES256", "kid": "c", "crit": ["b64"]}), json!({}), Doubt::Header),
        (json!({"alg": "ES256", "kid": "c", "typ": "secevent+jwt"}), json!({}), Doubt::Header),
        (json!({"alg": "ES256", "kid": "unknown"}), json!({}), Doubt::Key),
        (json!({"alg": "ES256", "kid": "enc"}), json!({}), Doubt::Key),
        (json!({"alg": "ES256", "kid": "e"}), json!({}), Doubt::Key),
        (json!({"alg": "EdDSA", "kid": "c"}), json!({}), Doubt::Key),
    ];
    for (header, changes, doubt) in cases {
        let found = judged(&keys.sign(&header, &with(&changes)), &set).map(|_| ());
        assert_eq!(found, Err(doubt), "{header} {changes}");
    }
    // Another key of the same name.
    let forged = Keys::new().sign(&header(), &claims());
    assert_eq!(judged(&forged, &set).map(|_| ()), Err(Doubt::Signature));
    // Any byte of any piece otherwise.
    let token = keys.sign(&header(), &claims());
    for at in (0..token.len()).step_by(3) {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        if changed != token {
            assert!(judged(&changed, &set).is_err(), "{at}");
        }
    }
}

#[test]
fn what_is_no_token_is_told_from_one_that_is_not_believed() {
    let set = Keys::new().set();
    for text in ["", ".", "..", "a.b", "a.b.c", "e30.e30", "e30.W10.", "e30=.e30.", "iocgw_x_y"] {
        assert_eq!(judged(text, &set).map(|_| ()), Err(Doubt::Malformed), "{text}");
    }
}

#[test]
fn a_published_list_that_holds_nothing_usable_is_no_list() {
    let read = |text: &str| KeySet::read(text.as_bytes()).map(|set| set.len());
    for text in ["", "[]", "{}", r#"{"keys": []}"#, r#"{"keys": [{"kty": "oct", "k": "eA"}]}"#] {
        assert!(read(text).is_err(), "{text}");
    }
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": coded(&[0; 32])});
    let many = json!({"keys": vec![key; 65]});
    assert_eq!(read(&many.to_string()), Err("there are more than 64 keys"));
}

/// A token of RFC 7515, appendix A.2 (RS256), and A.3 (ES256): keys and signatures made elsewhere.
#[test]
fn examples_of_the_standard_verify() {
    let vectors: BTreeMap<&str, (&str, Value, &str)> = BTreeMap::from([(
        "RS256",
        (
            "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
            json!({"kty": "RSA", "e": "AQAB", "n": concat!(
            "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEz",
            "P1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf6",
            concat!(
                "3kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qC",
                "o5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9g",
                "b54h4FRWyuXpoQ",
            ))}),
            concat!(
                "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt",
                concat!(
                    "_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6x",
                    "BArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZES",
                    "c6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig",
                    "cN_IoypGlUPQGe77Rw",
                )
            ),
        ),
    )]);
    for (name, (signed, key, signature)) in vectors {
        let set = KeySet::read(json!({"keys": [key]}).to_string().as_bytes()).unwrap();
        let algorithm = Algorithm::named(name).unwrap();
        let key = set.fitting(None, algorithm).unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(key.has_signed(algorithm, signed.as_bytes(), &signature), "{name}");
        assert!(!key.has_signed(algorithm, b"other", &signature), "{name}");
    }
}

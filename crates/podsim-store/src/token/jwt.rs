//! JSON web tokens as kube-apiserver signs them: ES256 (RFC 7518, 3.4).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use serde_json::{Value, json};
use std::fmt;

/// Longer tokens are none of ours: not worth to look at.
const LONGEST: usize = 16 << 10;

/// A key that signs ServiceAccounts' tokens. It takes its randomness from the system: ECDSA needs good one, so it is not the
/// store's. (The length of a token does not depend on it.)
pub struct TokenSigner {
    pair: EcdsaKeyPair,
    random: SystemRandom,
    key_id: String,
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSigner").field("key_id", &self.key_id).finish()
    }
}

/// A key could not be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key that signs tokens is not a P-256 key in PKCS #8")]
pub struct KeyError;

impl TokenSigner {
    /// A new key, in PKCS #8 (DER).
    ///
    /// # Errors
    ///
    /// The system has no randomness.
    pub fn generate() -> Result<Vec<u8>, KeyError> {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        Ok(made.map_err(|_| KeyError)?.as_ref().to_vec())
    }

    /// With this key.
    ///
    /// # Errors
    ///
    /// It is not a key of the right kind.
    pub fn from_pkcs8(key: &[u8]) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key, &random).map_err(|_| KeyError)?;
        let digest = ring::digest::digest(&ring::digest::SHA256, pair.public_key().as_ref());
        let key_id = URL_SAFE_NO_PAD.encode(digest);
        Ok(Self { pair, random, key_id })
    }

    /// A token with these claims.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, KeyError> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "ES256", "kid": self.key_id});
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.pair.sign(&self.random, signed.as_bytes()).map_err(|_| KeyError)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The claims of a token, if we have signed it.
    pub(super) fn verify(&self, token: &str) -> Option<Value> {
        if token.len() > LONGEST {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
        if header["alg"] != "ES256" || header["kid"] != self.key_id {
            return None;
        }
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key().as_ref());
        key.verify(signed.as_bytes(), &decode(signature)?).ok()?;
        serde_json::from_slice(&decode(claims)?).ok()
    }

    /// The public key as a JSON web key, by which others can check tokens (`/openid/v1/jwks`).
    pub(super) fn public_key(&self) -> Value {
        // An uncompressed point: 4, then the two coordinates.
        let point = self.pair.public_key().as_ref();
        let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(point.get(from..from + 32).unwrap_or_default());
        json!({
            "use": "sig", "kty": "EC", "kid": self.key_id, "crv": "P-256", "alg": "ES256",
            "x": coordinate(1), "y": coordinate(33),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_signed_with_the_key_is_believed() {
        let signer = TokenSigner::from_pkcs8(&TokenSigner::generate().unwrap()).unwrap();
        let other = TokenSigner::from_pkcs8(&TokenSigner::generate().unwrap()).unwrap();
        let token = signer.sign(&json!({"sub": "me"})).unwrap();
        assert_eq!(signer.verify(&token), Some(json!({"sub": "me"})));
        assert_eq!(other.verify(&token), None);
        let (head, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = head.split_once('.').unwrap();
        let forged = URL_SAFE_NO_PAD.encode(r#"{"sub":"you"}"#);
        let none = URL_SAFE_NO_PAD.encode(json!({"alg": "none", "kid": signer.key_id}).to_string());
        for wrong in [
            String::new(),
            "a.b.c".into(),
            head.into(),
            format!("{header}.{forged}.{signature}"),
            format!("{none}.{claims}."),
            format!("{none}.{claims}.{signature}"),
            format!("{head}.{}", URL_SAFE_NO_PAD.encode([0; 64])),
            format!("{token}{}", "x".repeat(LONGEST)),
        ] {
            assert_eq!(signer.verify(&wrong), None, "{wrong:.200}");
        }
        assert!(TokenSigner::from_pkcs8(b"no key").is_err());
    }
}

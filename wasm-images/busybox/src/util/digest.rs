//! MD5 (RFC 1321), SHA-1, SHA-256 and SHA-512 (FIPS 180-4), small and plain.

/// A hash in the making.
pub trait Digest {
    /// Takes more bytes.
    fn update(&mut self, bytes: &[u8]);
    /// The hash.
    fn finish(self) -> Vec<u8>;
}

/// Collects bytes into blocks of `N`.
struct Blocks<const N: usize> {
    buffer: [u8; N],
    filled: usize,
    length: u128,
}

impl<const N: usize> Blocks<N> {
    fn new() -> Self {
        Self {
            buffer: [0; N],
            filled: 0,
            length: 0,
        }
    }

    fn update(&mut self, bytes: &[u8], mut block: impl FnMut(&[u8; N])) {
        self.length += bytes.len() as u128;
        for byte in bytes {
            if let Some(slot) = self.buffer.get_mut(self.filled) {
                *slot = *byte;
            }
            self.filled += 1;
            if self.filled == N {
                block(&self.buffer);
                self.filled = 0;
            }
        }
    }

    /// The bytes that end a message: a one bit, zeros, and the length in bits in the last `width` bytes.
    fn padding(&self, width: usize, little_endian: bool) -> Vec<u8> {
        let mut end = vec![0x80];
        while (self.filled + end.len()) % N != N - width {
            end.push(0);
        }
        let bits = self.length * 8;
        if little_endian {
            end.extend(bits.to_le_bytes().iter().take(width));
        } else {
            end.extend(bits.to_be_bytes().iter().skip(16 - width));
        }
        end
    }
}

fn word(block: &[u8], index: usize, little_endian: bool) -> u32 {
    let bytes: [u8; 4] = block
        .get(index * 4..index * 4 + 4)
        .and_then(|b| b.try_into().ok())
        .unwrap_or_default();
    if little_endian {
        u32::from_le_bytes(bytes)
    } else {
        u32::from_be_bytes(bytes)
    }
}

/// MD5.
pub struct Md5 {
    state: [u32; 4],
    blocks: Blocks<64>,
    sines: [u32; 64],
}

impl Default for Md5 {
    fn default() -> Self {
        // RFC 1321, 3.4: the table is made from the sine function.
        let sines = std::array::from_fn(|i| ((i as f64 + 1.0).sin().abs() * 4_294_967_296.0) as u32);
        Self {
            state: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476],
            blocks: Blocks::new(),
            sines,
        }
    }
}

fn md5_block(state: &mut [u32; 4], sines: &[u32; 64], block: &[u8; 64]) {
    const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let [mut a, mut b, mut c, mut d] = *state;
    for i in 0..64 {
        let (mix, source) = match i / 16 {
            0 => ((b & c) | (!b & d), i),
            1 => ((d & b) | (!d & c), (5 * i + 1) % 16),
            2 => (b ^ c ^ d, (3 * i + 5) % 16),
            _ => (c ^ (b | !d), (7 * i) % 16),
        };
        let sum = a
            .wrapping_add(mix)
            .wrapping_add(sines[i])
            .wrapping_add(word(block, source, true));
        (a, d, c) = (d, c, b);
        b = b.wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4]));
    }
    for (slot, value) in state.iter_mut().zip([a, b, c, d]) {
        *slot = slot.wrapping_add(value);
    }
}

impl Digest for Md5 {
    fn update(&mut self, bytes: &[u8]) {
        let (state, sines) = (&mut self.state, &self.sines);
        self.blocks.update(bytes, |block| md5_block(state, sines, block));
    }

    fn finish(mut self) -> Vec<u8> {
        let end = self.blocks.padding(8, true);
        self.update(&end);
        self.state.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

/// SHA-1.
pub struct Sha1 {
    state: [u32; 5],
    blocks: Blocks<64>,
}

impl Default for Sha1 {
    fn default() -> Self {
        let state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
        Self {
            state,
            blocks: Blocks::new(),
        }
    }
}

fn sha1_block(state: &mut [u32; 5], block: &[u8; 64]) {
    let mut w: [u32; 80] = std::array::from_fn(|i| if i < 16 { word(block, i, false) } else { 0 });
    for i in 16..80 {
        w[i] = (w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16]).rotate_left(1);
    }
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    for (i, word) in w.iter().enumerate() {
        let (mix, constant) = match i / 20 {
            0 => ((b & c) | (!b & d), 0x5a82_7999),
            1 => (b ^ c ^ d, 0x6ed9_eba1),
            2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
            _ => (b ^ c ^ d, 0xca62_c1d6u32),
        };
        let sum = a
            .rotate_left(5)
            .wrapping_add(mix)
            .wrapping_add(e)
            .wrapping_add(constant)
            .wrapping_add(*word);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, sum);
    }
    for (slot, value) in state.iter_mut().zip([a, b, c, d, e]) {
        *slot = slot.wrapping_add(value);
    }
}

impl Digest for Sha1 {
    fn update(&mut self, bytes: &[u8]) {
        let state = &mut self.state;
        self.blocks.update(bytes, |block| sha1_block(state, block));
    }

    fn finish(mut self) -> Vec<u8> {
        let end = self.blocks.padding(8, false);
        self.update(&end);
        self.state.iter().flat_map(|word| word.to_be_bytes()).collect()
    }
}

/// The first 80 primes: SHA-2's constants are the fractions of their roots.
fn primes() -> [u64; 80] {
    let mut found = [0; 80];
    let (mut count, mut candidate) = (0, 2);
    while count < 80 {
        if found.iter().take(count).all(|prime| candidate % prime != 0) {
            found[count] = candidate;
            count += 1;
        }
        candidate += 1;
    }
    found
}

/// The first 64 bits of the fraction of the square (2) or cube (3) root of a prime: the largest whole number whose power does
/// not exceed the prime with its point moved.
fn root_fraction(prime: u64, degree: u32) -> u64 {
    let mut root: u128 = 0;
    // Bit by bit, with comparisons that cannot overflow: (root / 2^64)^degree <= prime.
    for bit in (0..=68).rev() {
        let candidate = root | (1 << bit);
        if power_at_most(candidate, degree, prime) {
            root = candidate;
        }
    }
    // Only the fraction.
    (root & u128::from(u64::MAX)) as u64
}

/// Whether `x^degree <= prime * 2^(64 * degree)`, with numbers of 32-bit digits.
fn power_at_most(x: u128, degree: u32, prime: u64) -> bool {
    let digits = |mut n: u128| {
        let mut digits = Vec::new();
        while n > 0 {
            digits.push((n & 0xffff_ffff) as u64);
            n >>= 32;
        }
        digits
    };
    let factor = digits(x);
    let mut product = vec![1u64];
    for _ in 0..degree {
        let mut next = vec![0u64; product.len() + factor.len() + 1];
        for (i, a) in product.iter().enumerate() {
            let mut carry = 0;
            for (j, b) in factor.iter().enumerate() {
                let sum = next[i + j] + a * b + carry;
                next[i + j] = sum & 0xffff_ffff;
                carry = sum >> 32;
            }
            next[i + factor.len()] += carry;
        }
        product = next;
    }
    let mut limit = vec![0u64; 2 * degree as usize];
    limit.extend(digits(u128::from(prime)));
    let length = product.len().max(limit.len());
    product.resize(length, 0);
    limit.resize(length, 0);
    product.iter().rev().le(limit.iter().rev())
}

/// SHA-256.
pub struct Sha256 {
    state: [u32; 8],
    blocks: Blocks<64>,
    constants: [u32; 64],
}

impl Default for Sha256 {
    fn default() -> Self {
        let primes = primes();
        let high = |n: u64| (n >> 32) as u32;
        Self {
            state: std::array::from_fn(|i| high(root_fraction(primes[i], 2))),
            constants: std::array::from_fn(|i| high(root_fraction(primes[i], 3))),
            blocks: Blocks::new(),
        }
    }
}

fn sha256_block(state: &mut [u32; 8], constants: &[u32; 64], block: &[u8; 64]) {
    let mut w: [u32; 64] = std::array::from_fn(|i| if i < 16 { word(block, i, false) } else { 0 });
    for i in 16..64 {
        let s0 = w[i - 15].rotate_right(7) ^ w[i - 15].rotate_right(18) ^ (w[i - 15] >> 3);
        let s1 = w[i - 2].rotate_right(17) ^ w[i - 2].rotate_right(19) ^ (w[i - 2] >> 10);
        w[i] = w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (constant, word) in constants.iter().zip(w) {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let t1 = h
            .wrapping_add(s1)
            .wrapping_add((e & f) ^ (!e & g))
            .wrapping_add(*constant)
            .wrapping_add(word);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t2 = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
    }
    for (slot, value) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *slot = slot.wrapping_add(value);
    }
}

impl Digest for Sha256 {
    fn update(&mut self, bytes: &[u8]) {
        let (state, constants) = (&mut self.state, &self.constants);
        self.blocks.update(bytes, |block| sha256_block(state, constants, block));
    }

    fn finish(mut self) -> Vec<u8> {
        let end = self.blocks.padding(8, false);
        self.update(&end);
        self.state.iter().flat_map(|word| word.to_be_bytes()).collect()
    }
}

/// SHA-512.
pub struct Sha512 {
    state: [u64; 8],
    blocks: Blocks<128>,
    constants: [u64; 80],
}

impl Default for Sha512 {
    fn default() -> Self {
        let primes = primes();
        Self {
            state: std::array::from_fn(|i| root_fraction(primes[i], 2)),
            constants: std::array::from_fn(|i| root_fraction(primes[i], 3)),
            blocks: Blocks::new(),
        }
    }
}

fn sha512_block(state: &mut [u64; 8], constants: &[u64; 80], block: &[u8; 128]) {
    let long = |i: usize| u64::from(word(block, 2 * i, false)) << 32 | u64::from(word(block, 2 * i + 1, false));
    let mut w: [u64; 80] = std::array::from_fn(|i| if i < 16 { long(i) } else { 0 });
    for i in 16..80 {
        let s0 = w[i - 15].rotate_right(1) ^ w[i - 15].rotate_right(8) ^ (w[i - 15] >> 7);
        let s1 = w[i - 2].rotate_right(19) ^ w[i - 2].rotate_right(61) ^ (w[i - 2] >> 6);
        w[i] = w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (constant, word) in constants.iter().zip(w) {
        let s1 = e.rotate_right(14) ^ e.rotate_right(18) ^ e.rotate_right(41);
        let t1 = h
            .wrapping_add(s1)
            .wrapping_add((e & f) ^ (!e & g))
            .wrapping_add(*constant)
            .wrapping_add(word);
        let s0 = a.rotate_right(28) ^ a.rotate_right(34) ^ a.rotate_right(39);
        let t2 = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
    }
    for (slot, value) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *slot = slot.wrapping_add(value);
    }
}

impl Digest for Sha512 {
    fn update(&mut self, bytes: &[u8]) {
        let (state, constants) = (&mut self.state, &self.constants);
        self.blocks.update(bytes, |block| sha512_block(state, constants, block));
    }

    fn finish(mut self) -> Vec<u8> {
        let end = self.blocks.padding(16, false);
        self.update(&end);
        self.state.iter().flat_map(|word| word.to_be_bytes()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(mut digest: impl Digest, text: &str) -> String {
        digest.update(text.as_bytes());
        digest.finish().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn known_texts_have_known_hashes() {
        assert_eq!(hex(Md5::default(), ""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex(Md5::default(), "abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(hex(Sha1::default(), "abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(
            hex(Sha256::default(), "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(hex(Sha512::default(), "abc").starts_with("ddaf35a193617abacc417349ae204131"));
        let long = "a".repeat(119);
        assert_eq!(hex(Md5::default(), &long), "8a7bd0732ed6a28ce75f6dabc90e1613");
    }
}

//! The body of an answer on its way into memory: counted, unpacked and refused in time.
//!
//! Unpacking is done here rather than in the HTTP library, because only who sees both sides can
//! tell a bomb: bytes from the wire and bytes after unpacking are counted together, and a body
//! that grows beyond its limit or beyond all proportion is refused before it is held. One coding
//! is undone, never several on top of each other, and only those that were asked for. A packed
//! body knows its own end, so one that lacks its tail is told apart from a whole one.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};

/// What the gateway says it understands.
pub(super) const ACCEPTED: &str = "gzip, deflate, br";

/// A body may grow to this by unpacking, in whatever proportion: nobody is hurt by so little.
const HARMLESS: u64 = 1 << 20;

/// Bytes that are unpacked in one step.
const STEP: usize = 16 * 1024;

/// How far a body may grow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The longest body, unpacked.
    pub(super) bytes: u64,
    /// How many times longer than on the wire it may be.
    pub(super) ratio: u64,
}

/// Why a body is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoilt {
    /// Longer than allowed.
    TooLarge,
    /// Out of all proportion to what came over the wire.
    Bomb,
    /// It cannot be unpacked, or ends too early or too late.
    Garbled,
}

/// A body that is arriving.
pub(super) struct Body(Unpacker);

enum Unpacker {
    Plain(Sink),
    Gzip(Box<MultiGzDecoder<Sink>>),
    Deflate { state: Decompress, sink: Sink, is_over: bool },
    Brotli(Box<DecompressorWriter<Sink>>),
}

/// Where unpacked bytes go, up to their bounds.
struct Sink {
    bytes: BytesMut,
    bounds: Bounds,
    wire: u64,
    spoilt: Option<Spoilt>,
}

impl Body {
    /// A body with this `Content-Encoding`; nothing if that was never asked for or is more than
    /// one. `announced` is the length on the wire, if it was told.
    pub(super) fn new(coding: &str, announced: u64, bounds: Bounds) -> Option<Self> {
        let room = announced.min(bounds.bytes) as usize;
        let sink = Sink { bytes: BytesMut::with_capacity(room), bounds, wire: 0, spoilt: None };
        Some(Self(match coding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Unpacker::Plain(sink),
            "gzip" | "x-gzip" => Unpacker::Gzip(Box::new(MultiGzDecoder::new(sink))),
            "deflate" => Unpacker::Deflate { state: Decompress::new(true), sink, is_over: false },
            "br" => Unpacker::Brotli(Box::new(DecompressorWriter::new(sink, STEP))),
            _ => return None,
        }))
    }

    /// Whether the body knows its own end.
    pub(super) fn is_packed(&self) -> bool {
        !matches!(self.0, Unpacker::Plain(_))
    }

    /// Bytes that came over the wire.
    pub(super) fn wire(&mut self) -> u64 {
        self.sink().wire
    }

    /// Takes the next piece as it came over the wire.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), Spoilt> {
        self.sink().wire += piece.len() as u64;
        let taken = match &mut self.0 {
            Unpacker::Plain(sink) => sink.write_all(piece),
            Unpacker::Gzip(gzip) => gzip.write_all(piece),
            Unpacker::Deflate { state, sink, is_over } => inflate(state, sink, is_over, piece),
            Unpacker::Brotli(brotli) => brotli.write_all(piece),
        };
        taken.map_err(|_| self.verdict())
    }

    /// The whole body, now that its last piece has come.
    pub(super) fn finish(mut self) -> Result<Bytes, Spoilt> {
        // An answer without a body has no coding either, whatever its head says.
        if self.sink().wire == 0 {
            return Ok(Bytes::new());
        }
        let ended = match &mut self.0 {
            Unpacker::Plain(_) | Unpacker::Deflate { is_over: true, .. } => Ok(()),
            Unpacker::Gzip(gzip) => gzip.try_finish(),
            Unpacker::Deflate { is_over: false, .. } => Err(io::ErrorKind::UnexpectedEof.into()),
            Unpacker::Brotli(brotli) => brotli.close(),
        };
        ended.map_err(|_| self.verdict())?;
        Ok(std::mem::take(&mut self.sink().bytes).freeze())
    }

    /// What spoilt the body: the sink's objection, or else the packing itself.
    fn verdict(&mut self) -> Spoilt {
        self.sink().spoilt.unwrap_or(Spoilt::Garbled)
    }

    fn sink(&mut self) -> &mut Sink {
        match &mut self.0 {
            Unpacker::Plain(sink) | Unpacker::Deflate { sink, .. } => sink,
            Unpacker::Gzip(gzip) => gzip.get_mut(),
            Unpacker::Brotli(brotli) => brotli.get_mut(),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let length = self.bytes.len() as u64 + piece.len() as u64;
        let proportionate = HARMLESS.max(self.wire.saturating_mul(self.bounds.ratio));
        if length > self.bounds.bytes {
            self.spoilt = Some(Spoilt::TooLarge);
        } else if length > proportionate {
            self.spoilt = Some(Spoilt::Bomb);
        }
        if self.spoilt.is_some() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Unpacks a piece of a zlib stream. Done by hand, because the library's writer takes a stream
/// that lacks its tail for a whole one.
fn inflate(
    state: &mut Decompress,
    sink: &mut Sink,
    is_over: &mut bool,
    piece: &[u8],
) -> io::Result<()> {
    let mut rest = piece;
    let mut unpacked = [0; STEP];
    while !rest.is_empty() {
        if *is_over {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let (taken, given) = (state.total_in(), state.total_out());
        let status = state.decompress(rest, &mut unpacked, FlushDecompress::None)?;
        let (taken, given) = (state.total_in() - taken, state.total_out() - given);
        rest = &rest[taken as usize..];
        sink.write_all(&unpacked[..given as usize])?;
        *is_over = status == Status::StreamEnd;
        if taken == 0 && given == 0 && !*is_over {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    // What the last bytes unpack to may be longer than one step.
    while !*is_over {
        let given = state.total_out();
        let status = state.decompress(&[], &mut unpacked, FlushDecompress::None);
        let given = (state.total_out() - given) as usize;
        sink.write_all(&unpacked[..given])?;
        *is_over = matches!(status, Ok(Status::StreamEnd));
        if given == 0 {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { bytes: 64 << 20, ratio: 200 };

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(body).unwrap();
        packer.finish().unwrap()
    }

    fn zlib(body: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(body).unwrap();
        packer.finish().unwrap()
    }

    /// Brotli's own way to say a body without packing it: one raw block, then the empty last one.
    fn brotli(body: &[u8]) -> Vec<u8> {
        assert!(!body.is_empty() && body.len() <= 1 << 16);
        let length = (body.len() - 1) as u32;
        // WBITS 16 (0), not the last (0), four nibbles of length (00), the length, raw (1).
        let header = (length << 4) | (1 << 20);
        let mut packed = header.to_le_bytes()[..3].to_vec();
        packed.extend_from_slice(body);
        packed.push(3);
        packed
    }

    fn unpack(coding: &str, packed: &[u8], step: usize, bounds: Bounds) -> Result<Bytes, Spoilt> {
        let mut body = Body::new(coding, 0, bounds).unwrap();
        packed.chunks(step).try_for_each(|piece| body.push(piece))?;
        body.finish()
    }

    type Pack = fn(&[u8]) -> Vec<u8>;

    fn packers() -> [(&'static str, Pack); 4] {
        [("identity", <[u8]>::to_vec), ("gzip", gzip), ("deflate", zlib), ("br", brotli)]
    }

    #[test]
    fn each_coding_is_undone_however_it_is_cut_into_pieces() {
        let text: Vec<u8> = (0..40_000_u32).map(|i| b'0' + (i * i % 7) as u8).collect();
        for (coding, pack) in packers() {
            let packed = pack(&text);
            for step in [1, 7, 4096, packed.len()] {
                assert_eq!(unpack(coding, &packed, step, BOUNDS).unwrap(), text, "{coding} {step}");
            }
            assert_eq!(unpack(coding, &[], 1, BOUNDS).unwrap(), "", "{coding}: no body at all");
        }
        let members = [gzip(b"[1, "), gzip(b"2]")].concat();
        assert_eq!(unpack("x-gzip", &members, 3, BOUNDS).unwrap(), "[1, 2]", "two members");
    }

    #[test]
    fn s05_a_packed_body_that_lacks_any_of_its_last_bytes_is_garbled() {
        for (coding, pack) in &packers()[1..] {
            let packed = pack(b"[1, 2, 3]");
            for cut in 1..packed.len() {
                let outcome = unpack(coding, &packed[..cut], 5, BOUNDS);
                assert_eq!(outcome, Err(Spoilt::Garbled), "{coding} cut at {cut}");
            }
            let more = [packed, b"more".to_vec()].concat();
            assert_eq!(unpack(coding, &more, 64, BOUNDS), Err(Spoilt::Garbled), "{coding}");
        }
    }

    #[test]
    fn s07_a_bomb_is_refused_by_its_proportion_and_by_its_size() {
        let bomb = vec![b' '; 16 << 20];
        let small = Bounds { bytes: 2 << 20, ..BOUNDS };
        let generous = Bounds { ratio: 2000, ..BOUNDS };
        for (coding, packed) in [("gzip", gzip(&bomb)), ("deflate", zlib(&bomb))] {
            assert!(packed.len() < 20_000, "{coding}: 1:1000 on the wire");
            assert_eq!(unpack(coding, &packed, 512, BOUNDS), Err(Spoilt::Bomb), "{coding}");
            let over = unpack(coding, &packed, 16_384, small);
            assert_eq!(over, Err(Spoilt::TooLarge), "{coding}");
            assert_eq!(unpack(coding, &packed, 999, generous).unwrap().len(), bomb.len());
        }
    }

    #[test]
    fn s07_codings_that_were_not_asked_for_or_are_stacked_are_none() {
        for coding in ["zstd", "compress", "gzip, gzip", "gzip,br", "identity, gzip", "*"] {
            assert!(Body::new(coding, 0, BOUNDS).is_none(), "{coding}");
        }
    }
}

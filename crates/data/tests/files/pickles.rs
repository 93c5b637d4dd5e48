//! Citation networks in the pickles that they are published as, written here opcode by opcode as Python 2 did.

use crate::builders::put;
use perturb_data::graphs::Planetoid;
use tempfile::TempDir;

/// A pickle in the making.
#[derive(Clone, Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn raw(mut self, bytes: &[u8]) -> Writer {
        self.0.extend(bytes);
        self
    }

    fn int(self, value: i32) -> Writer {
        self.raw(b"J").raw(&value.to_le_bytes())
    }

    fn string(self, bytes: &[u8]) -> Writer {
        self.raw(b"T").raw(&(bytes.len() as u32).to_le_bytes()).raw(bytes)
    }

    /// `_reconstruct(ndarray, (0,), 'b')` and its state: version, shape, dtype, order, data.
    fn array(self, shape: &[i32], dtype: &[u8], data: &[u8]) -> Writer {
        let mut w = self.raw(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01(");
        for &size in shape {
            w = w.int(size);
        }
        w = w
            .raw(b"tcnumpy\ndtype\n")
            .string(dtype)
            .raw(b"K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb");
        w.raw(b"\x89").string(data).raw(b"tb")
    }

    fn sparse(self, shape: [i32; 2], offsets: &[i32], indices: &[i32], values: &[f32]) -> Writer {
        let ints = |v: &[i32]| v.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
        let floats: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.raw(b"cscipy.sparse.csr\ncsr_matrix\n)\x81}(U\x06_shape")
            .int(shape[0])
            .int(shape[1])
            .raw(b"\x86U\x06indptr")
            .array(&[offsets.len() as i32], b"i4", &ints(offsets))
            .raw(b"U\x07indices")
            .array(&[indices.len() as i32], b"i4", &ints(indices))
            .raw(b"U\x04data")
            .array(&[values.len() as i32], b"f4", &floats)
            .raw(b"ub")
    }

    fn labels(self, rows: &[[i32; 2]]) -> Writer {
        let bytes: Vec<u8> = rows.iter().flatten().flat_map(|x| x.to_le_bytes()).collect();
        self.array(&[rows.len() as i32, 2], b"i4", &bytes)
    }

    fn end(self) -> Vec<u8> {
        [b"\x80\x02", &self.0[..], b"."].concat()
    }
}

/// Six papers: 0 to 2 known, 0 and 1 labelled; the test set is 5, 3 in this order, and 4 is in no file.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let new = Writer::default;
    let graph = new()
        .raw(b"ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R(K\x00](K\x01K\x05eK\x01](K\x00K\x01eK\x03]K\x02au");
    vec![
        ("x", new().sparse([2, 4], &[0, 1, 1], &[3], &[1.0]).end()),
        ("y", new().labels(&[[0, 1], [1, 0]]).end()),
        ("allx", new().sparse([3, 4], &[0, 1, 1, 3], &[3, 0, 2], &[1.0, 0.5, 0.25]).end()),
        ("ally", new().labels(&[[0, 1], [1, 0], [1, 0]]).end()),
        ("tx", new().sparse([2, 4], &[0, 1, 2], &[1, 2], &[7.0, 8.0]).end()),
        ("ty", new().labels(&[[0, 1], [1, 0]]).end()),
        ("graph", graph.end()),
        ("test.index", b"5\n3\n".to_vec()),
    ]
}

fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    files.iter().for_each(|(part, bytes)| drop(put(&dir, &format!("ind.toy.{part}"), bytes)));
    dir
}

#[test]
fn put_together() {
    let dir = folder(&files());
    let set = Planetoid::load(dir.path()).unwrap();
    // Loops and repetitions are gone.
    assert_eq!((set.graph.nodes, &set.graph.edges[..]), (6, &[[0, 1], [0, 5], [2, 3]][..]));
    assert_eq!(set.labels, [Some(1), Some(0), Some(0), Some(0), None, Some(1)]);
    assert_eq!((set.split.train, set.split.validation, set.split.test), (vec![0, 1], vec![2, 3, 4, 5], vec![3, 5]));
    let features = set.features.unwrap().to_dense();
    let rows = [[0., 0., 0., 1.], [0.; 4], [0.5, 0., 0.25, 0.], [0., 0., 8., 0.], [0.; 4], [0., 7., 0., 0.]];
    assert_eq!(features.as_slice::<f32>(), rows.as_flattened());
}

#[test]
fn damaged() {
    let good = files();
    let dir = folder(&good);
    for (part, bytes) in good.iter().filter(|(part, _)| *part != "x") {
        let name = format!("ind.toy.{part}");
        let load = |bytes: &[u8]| {
            put(&dir, &name, bytes);
            Planetoid::load(dir.path())
        };
        for at in (0..bytes.len()).step_by(3) {
            // Text that is cut off may still be a list of nodes.
            assert!(load(&bytes[..at]).is_err() || *part == "test.index", "{part} cut at {at}");
            for value in [b'(', 0x7f, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = value;
                // Whatever one byte does, the answer is an error or a network of bounded size.
                assert!(load(&changed).map_or(true, |set| set.graph.nodes < 1000));
            }
        }
        assert!(load(bytes).is_ok());
    }
    put(&dir, "ind.toy.allx", b"");
    assert!(Planetoid::load(dir.path()).unwrap_err().to_string().contains("byte 0 of 0"));
}

//! Vectors of documents, and how far replaced words can move them (Catellier, Vaiter & Garreau 2023, "On the Robustness of Text
//! Vectorizers").
//!
//! A document is a list of word indices, and what changes is counted by the Hamming distance: words are replaced, none is
//! inserted or left out. Each vectorizer is a [`HammingRobust`] map with a bound on the ℓ2 distance, in closed form, that holds
//! for every replacement. The bound is the radius of a ball that a [`Certifier`](crate::Certifier) takes, so that a
//! classifier of vectors is certified against all replaced words at once:
//!
//! ```
//! use perturb_certify::text::vectorizers::{HammingRobust, TfIdf};
//! use perturb_certify::{Certifier, Method, Region, Settings};
//! use perturb_graph::{DType, Expr, Graph, Norm, Tensor};
//!
//! // Words 0 and 1 speak for the first class, 2 and 3 for the second.
//! let vectorizer = TfIdf::new(vec![1.0; 4], false)?;
//! let x = Expr::input("vector", [1, 4], DType::F32);
//! let weights = Tensor::new([4, 2], vec![1.0f32, -1.0, 1.0, -1.0, -1.0, 1.0, -1.0, 1.0])?;
//! let model = Graph::new(vec![x.clone()], vec![("logits".into(), x.matmul(&Expr::constant(weights)))])?;
//! let settings = Settings { norm: Norm::L2, ..Settings::default() };
//! let certifier = Certifier::new(&model, Method::Crown, settings)?;
//!
//! let document = [0, 1, 0, 1, 0];
//! let vector: Vec<f32> = vectorizer.transform(&document)?.iter().map(|&v| v as f32).collect();
//! let radius = vectorizer.bound(&document, 1)?;
//! let margins = certifier.margins(&Tensor::new([1, 4], vector)?, &[0], &Region::from(radius))?;
//! assert!(margins[0] > 0.0, "no replaced word changes the class");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod concatenation;
mod paragraph;
mod tf_idf;
mod words;

pub use concatenation::Concat;
pub use paragraph::ParagraphVector;
pub use tf_idf::TfIdf;
pub use words::WordVectors;

use crate::{CertifyError, Result};

/// A map from documents to vectors that is Hölder or Lipschitz continuous in the Hamming distance.
pub trait HammingRobust {
    /// The vector of a document, a list of word indices.
    ///
    /// # Errors
    /// If the document is empty, or an index is none of the vocabulary. Unknown words need an index of their own.
    fn transform(&self, document: &[usize]) -> Result<Vec<f64>>;

    /// An upper bound of the ℓ2 distance between the vectors of `document` and of every document of the same length that
    /// differs from it in at most `changes` places.
    ///
    /// # Errors
    /// As [`HammingRobust::transform`].
    fn bound(&self, document: &[usize], changes: usize) -> Result<f64>;
}

/// The number of places in which two documents of one length differ.
///
/// # Errors
/// If the lengths differ: no number of replacements leads from one to the other.
pub fn hamming(a: &[usize], b: &[usize]) -> Result<usize> {
    if a.len() != b.len() {
        let reason = format!("their lengths are {} and {}, and replacing words keeps the length", a.len(), b.len());
        return CertifyError::unfit("two documents", reason);
    }
    Ok(a.iter().zip(b).filter(|(a, b)| a != b).count())
}

/// Factor that covers the rounding of a bound and of the vectors it is about, all in f64.
const ROUNDING: f64 = 1.0 + 1e-12;

// A document must have words, all of them of the vocabulary.
fn check(document: &[usize], vocabulary: usize) -> Result<()> {
    if document.is_empty() {
        return CertifyError::unfit("a document", "it has no words");
    }
    match document.iter().position(|&w| w >= vocabulary) {
        Some(place) => {
            let reason = format!(
                "word {place} is number {}, but the vocabulary has {vocabulary}, from 0: give unknown words an index of \
                 their own",
                document[place]
            );
            CertifyError::unfit("a document", reason)
        }
        None => Ok(()),
    }
}

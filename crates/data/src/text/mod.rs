//! Text as data: sentences with classes or scores, corpora for language models, word similarity and analogies.
//!
//! ```
//! use perturb_data::text::{TokenStream, Vocabulary};
//! let vocabulary = Vocabulary::characters("to be or not to be");
//! let stream = TokenStream::new(vocabulary.encode_characters("to be or not to be"));
//! let batch = stream.contiguous_batches(2, 4).next().unwrap();
//! assert_eq!(vocabulary.decode(&batch.inputs.as_slice::<i64>()[..4], ""), "to b");
//! assert_eq!(vocabulary.decode(&batch.targets.as_slice::<i64>()[..4], ""), "o be");
//! ```

mod analogies;
mod corpus;
mod pairs;
mod sentences;
mod similarity;
mod tokens;
mod vocabulary;

pub use analogies::{Analogies, AnalogyGroup};
pub use corpus::{Book, load_books, load_text};
pub use pairs::SentencePairs;
pub use sentences::{SentenceSplits, Sentences};
pub use similarity::WordSimilarity;
pub use tokens::{ContiguousBatches, TokenBatch, TokenStream};
pub use vocabulary::{UNKNOWN, Vocabulary};

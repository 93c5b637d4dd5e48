//! Series to classify, in the `.ts` format of the UCR and UEA archives (Dau et al. 2019, Bagnall et al. 2018).

use crate::error::{DataError, Result};
use crate::lines::{Line, Lines};
use perturb_graph::Tensor;
use std::path::Path;

/// Series with a class each. All have the same channels; lengths may differ.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesClassification {
    /// The set's name.
    pub name: String,
    /// The series, f32 `[C, T]` each. Values that the file marks as missing are NaN.
    pub series: Vec<Tensor>,
    /// Class of each series.
    pub labels: Vec<usize>,
    /// Names by class, in the order of the file's header.
    pub class_names: Vec<String>,
}

impl SeriesClassification {
    /// Loads a `.ts` file, gzipped or not: header lines `@key value`, then one series a line, channels between colons,
    /// values between commas, the class last.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows and for features of the format that no listed set uses (time
    /// stamps, real targets).
    pub fn load(path: &Path) -> Result<SeriesClassification> {
        let mut lines = Lines::open(path)?;
        let header = Header::read(&mut lines)?;
        let (mut series, mut labels) = (Vec::new(), Vec::new());
        let mut channels = header.dimensions;
        lines.for_each(|line| {
            let (values, class) = header.parse(&line, channels)?;
            channels = Some(values.shape()[0]);
            series.push(values);
            labels.push(class);
            Ok(())
        })?;
        if series.is_empty() {
            return Err(DataError::Empty { path: path.to_path_buf(), expected: "at least one series after @data" });
        }
        Ok(SeriesClassification { name: header.name, series, labels, class_names: header.classes })
    }

    /// Number of series.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there are no series.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.series.first().map_or(0, |s| s.shape()[0])
    }

    /// Length of each series.
    pub fn lengths(&self) -> Vec<usize> {
        self.series.iter().map(|s| s.shape()[1]).collect()
    }

    /// All series as f32 `[N, C, T]` with T the greatest length; shorter ones are followed by `padding`.
    pub fn padded(&self, padding: f32) -> Tensor {
        let longest = self.lengths().into_iter().max().unwrap_or(0);
        let mut data = Vec::with_capacity(self.len() * self.channels() * longest);
        for series in &self.series {
            for channel in series.as_slice::<f32>().chunks_exact(series.shape()[1].max(1)) {
                data.extend_from_slice(channel);
                data.resize(data.len() + longest - channel.len(), padding);
            }
        }
        Tensor::new([self.len(), self.channels(), longest], data).expect("every channel is padded to one length")
    }
}

#[derive(Default)]
struct Header {
    name: String,
    classes: Vec<String>,
    dimensions: Option<usize>,
    length: Option<usize>,
    missing: bool,
}

impl Header {
    fn read(lines: &mut Lines) -> Result<Header> {
        let mut header = Header::default();
        while let Some(line) = lines.next_line()? {
            let text = line.text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let mut words = text.split_whitespace();
            let key = words.next().unwrap_or_default().to_lowercase();
            let value = words.next().unwrap_or_default();
            match key.as_str() {
                "@data" => return Ok(header),
                "@problemname" => header.name = value.to_string(),
                "@dimension" | "@dimensions" => {
                    header.dimensions = Some(line.index(value, 1 << 20, "the number of dimensions")?);
                }
                "@serieslength" => header.length = Some(line.number(value, "the length")?),
                "@missing" => header.missing = value == "true",
                "@classlabel" if value == "true" => header.classes = words.map(str::to_string).collect(),
                "@classlabel" | "@targetlabel" => return Err(line.error("only series with classes can be read")),
                "@timestamps" if value == "true" => return Err(line.error("series with time stamps cannot be read")),
                _ if key.starts_with('@') => {}
                _ => return Err(line.error("expected a header line, which begins with @, or @data")),
            }
        }
        Err(lines.error("the file ends here, without a line @data"))
    }

    fn parse(&self, line: &Line<'_>, channels: Option<usize>) -> Result<(Tensor, usize)> {
        let (values, class) = line.text.rsplit_once(':').ok_or_else(|| line.error("a series without class"))?;
        let class = class.trim();
        let label = self.classes.iter().position(|c| c == class);
        let label = label.ok_or_else(|| line.error(format!("{class:?} is not one of the classes in the header")))?;
        let mut data = Vec::new();
        let (mut count, mut length) = (0, self.length);
        for channel in values.split(':') {
            let start = data.len();
            for cell in channel.split(',') {
                data.push(self.value(line, cell.trim())?);
            }
            let found = data.len() - start;
            if *length.get_or_insert(found) != found {
                let reason = format!("channel {count} has {found} values, expected {}", length.unwrap_or(0));
                return Err(line.error(reason));
            }
            count += 1;
        }
        if channels.is_some_and(|expected| expected != count) {
            return Err(line.error(format!("{count} channels where {} are expected", channels.unwrap_or(0))));
        }
        let tensor = Tensor::new([count, length.unwrap_or(0)], data).expect("all channels have one length");
        Ok((tensor, label))
    }

    fn value(&self, line: &Line<'_>, cell: &str) -> Result<f32> {
        match cell {
            "?" | "NaN" | "nan" if self.missing => Ok(f32::NAN),
            "?" | "NaN" | "nan" => Err(line.error("a missing value, though the header says @missing false")),
            _ => Ok(line.real(cell, "a value")? as f32),
        }
    }
}

//! Nodes → one value: aliases are copied, `<<` is merged, tags become cuts.

use serde_json::{Map, Value};

use super::node::{Body, Key, Node, Tag};
use super::{Cut, YamlError};

/// The most a document may take once its aliases are copied, in bytes: many times what its text can hold.
const MOST: usize = 64 << 20;
/// What a node takes besides its text, in bytes.
const NODE: usize = 64;

/// The value of a document and what it cuts.
pub(super) fn value(root: &Node) -> Result<(Value, Vec<Cut>), YamlError> {
    let mut expansion = Expansion {
        left: MOST,
        way: Vec::new(),
        cuts: Vec::new(),
    };
    let value = expansion.value(root)?.unwrap_or(Value::Null);
    Ok((value, expansion.cuts))
}

struct Expansion {
    left: usize,
    way: Vec<String>,
    cuts: Vec<Cut>,
}

impl Expansion {
    /// `None` is what a reset leaves.
    fn value(&mut self, node: &Node) -> Result<Option<Value>, YamlError> {
        let text = match &node.body {
            Body::Scalar(Value::String(text)) => text.len(),
            _ => 0,
        };
        self.left = self
            .left
            .checked_sub(NODE + text)
            .ok_or(YamlError::Excessive)?;
        match node.tag {
            Tag::None => {}
            Tag::Reset => {
                self.cuts.push(self.way.clone());
                return Ok(None);
            }
            Tag::Override => self.cuts.push(self.way.clone()),
        }
        Ok(Some(match &node.body {
            Body::Scalar(value) => value.clone(),
            Body::Sequence(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    self.way.push(format!("[{index}]"));
                    list.extend(self.value(item)?);
                    self.way.pop();
                }
                list.into()
            }
            Body::Mapping(_) => {
                let mut members = Map::new();
                self.mapping(node, &mut members)?;
                members.into()
            }
        }))
    }

    /// Puts the entries of a mapping into `members`: its own win over those it merges, the first of those over the
    /// others (yaml.org/type/merge.html).
    fn mapping(&mut self, node: &Node, members: &mut Map<String, Value>) -> Result<(), YamlError> {
        let Body::Mapping(entries) = &node.body else {
            return Err(YamlError::Merge { line: node.line });
        };
        for (key, value) in entries {
            if !matches!(key, Key::Merge) {
                continue;
            }
            match &value.body {
                Body::Sequence(several) => {
                    for one in several.iter().rev() {
                        self.mapping(one, members)?;
                    }
                }
                _ => self.mapping(value, members)?,
            }
        }
        for (key, value) in entries {
            let Key::Name(name) = key else {
                continue;
            };
            self.way.push(name.clone());
            match self.value(value)? {
                Some(value) => members.insert(name.clone(), value),
                None => members.shift_remove(name),
            };
            self.way.pop();
        }
        Ok(())
    }
}

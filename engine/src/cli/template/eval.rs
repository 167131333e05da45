//! Tree and data → text.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::absent;
use super::functions;
use super::node::{Base, Binding, Branch, Call, Command, Node, Operand, Pipeline};
use super::parser::Parsed;
use super::print::{display, row_json, truth};
use super::{Data, Kind, TemplateError};

/// Prints `nodes` with the data.
pub(super) fn run(
    template: &Parsed,
    data: Data<'_>,
    out: &mut String,
) -> Result<(), TemplateError> {
    let mut scope = Scope {
        data,
        defined: &template.defined,
        depth: 0,
        variables: vec![(String::new(), data.value.clone())],
    };
    scope.list(&template.nodes, data.value, out)?;
    Ok(())
}

/// How many templates may call one another: more is a circle.
const DEEPEST: usize = 100;

/// What comes after a list of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// What follows it.
    Next,
    /// The end of the loop.
    Break,
    /// The loop's next item.
    Continue,
}

struct Scope<'d> {
    data: Data<'d>,
    defined: &'d BTreeMap<String, Vec<Node>>,
    /// How many templates have called one another down to here.
    depth: usize,
    /// The innermost last; the first is `$`, the data itself.
    variables: Vec<(String, Value)>,
}

impl Scope<'_> {
    fn list(
        &mut self,
        nodes: &[Node],
        dot: &Value,
        out: &mut String,
    ) -> Result<Flow, TemplateError> {
        let depth = self.variables.len();
        for node in nodes {
            let flow = match node {
                Node::Text(text) => {
                    out.push_str(text);
                    Flow::Next
                }
                Node::Action(pipeline) => {
                    let value = self.pipeline(pipeline, dot)?;
                    if pipeline.variables.is_empty() {
                        out.push_str(&self.shown(pipeline, &value));
                    }
                    Flow::Next
                }
                Node::If(branch) => {
                    let inside = self.variables.len();
                    let taken = truth(&self.pipeline(&branch.pipeline, dot)?);
                    let nodes = if taken {
                        &branch.then
                    } else {
                        &branch.otherwise
                    };
                    let flow = self.list(nodes, dot, out)?;
                    self.variables.truncate(inside);
                    flow
                }
                Node::With(branch) => {
                    let inside = self.variables.len();
                    let value = self.pipeline(&branch.pipeline, dot)?;
                    let flow = if truth(&value) {
                        self.list(&branch.then, &value, out)?
                    } else {
                        self.list(&branch.otherwise, dot, out)?
                    };
                    self.variables.truncate(inside);
                    flow
                }
                Node::Range(branch) => self.range(branch, dot, out)?,
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
                Node::Call(call) => {
                    self.call(call, dot, out)?;
                    Flow::Next
                }
            };
            if flow != Flow::Next {
                self.variables.truncate(depth);
                return Ok(flow);
            }
        }
        self.variables.truncate(depth);
        Ok(Flow::Next)
    }

    /// Another template, with its own dot and none of our variables.
    fn call(&mut self, call: &Call, dot: &Value, out: &mut String) -> Result<(), TemplateError> {
        let refuse = |why: String| TemplateError::Execute {
            name: "",
            at: call.at,
            what: format!("{{{{template {:?}}}}}", call.name),
            why,
        };
        let value = match &call.pipeline {
            Some(pipeline) => self.pipeline(pipeline, dot)?,
            None => Value::Null,
        };
        let nodes = self
            .defined
            .get(&call.name)
            .ok_or_else(|| refuse(format!("template {:?} not defined", call.name)))?;
        if self.depth == DEEPEST {
            return Err(refuse("exceeded maximum template depth (100)".to_owned()));
        }
        let ours = std::mem::replace(&mut self.variables, vec![(String::new(), value.clone())]);
        self.depth += 1;
        let called = self.list(nodes, &value, out);
        self.depth -= 1;
        self.variables = ours;
        called.map(|_| ())
    }

    fn range(
        &mut self,
        branch: &Branch,
        dot: &Value,
        out: &mut String,
    ) -> Result<Flow, TemplateError> {
        let depth = self.variables.len();
        let items: Vec<(Value, Value)> = match self.commands(&branch.pipeline, dot)? {
            Value::Null => Vec::new(),
            Value::Array(items) => items
                .into_iter()
                .enumerate()
                .map(|(at, item)| (at.into(), item))
                .collect(),
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.into_iter().collect();
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                fields
                    .into_iter()
                    .map(|(key, item)| (key.into(), item))
                    .collect()
            }
            Value::Number(count) => (0..count.as_u64().unwrap_or(0))
                .map(|at| (at.into(), at.into()))
                .collect(),
            other => {
                let first = &branch.pipeline.commands[0].words[0];
                return Err(refuse(
                    first,
                    format!("range can't iterate over {}", display(&other)),
                ));
            }
        };
        if items.is_empty() {
            return self.list(&branch.otherwise, dot, out);
        }
        for (key, item) in items {
            match branch.pipeline.variables.as_slice() {
                [] => {}
                [name] => self.variables.push((name.clone(), item.clone())),
                [first, second, ..] => {
                    self.variables.push((first.clone(), key));
                    self.variables.push((second.clone(), item.clone()));
                }
            }
            let flow = self.list(&branch.then, &item, out)?;
            self.variables.truncate(depth);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::Next)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, TemplateError> {
        let value = self.commands(pipeline, dot)?;
        for name in &pipeline.variables {
            match pipeline.binding {
                Binding::Declare => self.variables.push((name.clone(), value.clone())),
                Binding::Assign => {
                    let known = self
                        .variables
                        .iter_mut()
                        .rev()
                        .find(|(known, _)| known == name);
                    match known {
                        Some((_, old)) => *old = value.clone(),
                        None => return Err(undefined(name)),
                    }
                }
            }
        }
        Ok(value)
    }

    fn commands(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, TemplateError> {
        let mut piped = None;
        for command in &pipeline.commands {
            piped = Some(self.command(command, dot, piped)?);
        }
        Ok(piped.expect("the parser gives every pipeline a command"))
    }

    /// A command whose last argument is what the command before it gave.
    fn command(
        &mut self,
        command: &Command,
        dot: &Value,
        piped: Option<Value>,
    ) -> Result<Value, TemplateError> {
        let (first, rest) = command.words.split_first().expect("commands have words");
        if let Base::Function(name) = &first.base {
            if matches!(name.as_str(), "and" | "or") {
                return self.short_circuit(name, rest, dot, piped);
            }
            if name == "json" && self.is_row(rest, piped.as_ref()) {
                return Ok(row_json(self.data.value).into());
            }
            let mut args = Vec::with_capacity(rest.len() + 1);
            for operand in rest {
                args.push(self.operand(operand, dot)?);
            }
            args.extend(piped);
            let value = functions::call(name, &args).map_err(|why| {
                let what = command.spelled();
                TemplateError::Execute {
                    name: "",
                    at: first.at,
                    what,
                    why,
                }
            })?;
            return self.fields(first, value);
        }
        if rest.is_empty() && piped.is_none() {
            return self.operand(first, dot);
        }
        self.method(first, rest, dot, piped)
    }

    fn short_circuit(
        &mut self,
        name: &str,
        rest: &[Operand],
        dot: &Value,
        piped: Option<Value>,
    ) -> Result<Value, TemplateError> {
        let mut value = Value::Null;
        for operand in rest {
            value = self.operand(operand, dot)?;
            if truth(&value) == (name == "or") {
                return Ok(value);
            }
        }
        Ok(piped.unwrap_or(value))
    }

    /// Whether `json` is asked about the row itself, whose form is Docker's own.
    fn is_row(&self, rest: &[Operand], piped: Option<&Value>) -> bool {
        matches!(self.data.kind, Kind::Row(_))
            && match (rest, piped) {
                (
                    [
                        Operand {
                            base: Base::Dot,
                            fields,
                            ..
                        },
                    ],
                    None,
                ) => fields.is_empty(),
                ([], Some(value)) => value == self.data.value,
                _ => false,
            }
    }

    /// `.Label "key"`: the only calls with arguments that rows have.
    fn method(
        &mut self,
        first: &Operand,
        rest: &[Operand],
        dot: &Value,
        piped: Option<Value>,
    ) -> Result<Value, TemplateError> {
        let argument = match (rest, piped) {
            ([operand], None) => self.operand(operand, dot)?,
            ([], Some(value)) => value,
            _ => Value::Null,
        };
        let method = first
            .fields
            .last()
            .and_then(|name| self.data.methods.get(name));
        match (method, argument) {
            (Some(values), Value::String(key)) => {
                Ok(values.get(&key).cloned().unwrap_or_else(|| "".into()))
            }
            _ => {
                let what = first.spelled();
                Err(refuse(
                    first,
                    format!("can't give argument to non-function {what}"),
                ))
            }
        }
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, TemplateError> {
        let value = match &operand.base {
            Base::Dot => dot.clone(),
            Base::Literal(value) => value.clone(),
            Base::Nested(pipeline) => self.pipeline(pipeline, dot)?,
            Base::Variable(name) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                known
                    .map(|(_, value)| value.clone())
                    .ok_or_else(|| undefined(name))?
            }
            Base::Function(name) => {
                functions::call(name, &[]).map_err(|why| refuse(operand, why))?
            }
        };
        self.fields(operand, value)
    }

    /// Walks `.A.B`.
    fn fields(&self, operand: &Operand, mut value: Value) -> Result<Value, TemplateError> {
        for name in &operand.fields {
            value = match value {
                Value::Object(fields) => match self.field(fields, name) {
                    Some(value) => value,
                    None => return Err(refuse(operand, self.missing(name))),
                },
                Value::Null => {
                    let why = format!("nil pointer evaluating interface {{}}.{name}");
                    return Err(refuse(operand, why));
                }
                other => {
                    let kind = functions::kind(&other);
                    return Err(refuse(
                        operand,
                        format!("can't evaluate field {name} in type {kind}"),
                    ));
                }
            };
        }
        Ok(value)
    }

    /// A field by its name in JSON, or by its name in Go, which differs in case (`ID`, `Id`).
    fn field(&self, mut fields: Map<String, Value>, name: &str) -> Option<Value> {
        if let Some(value) = fields.remove(name) {
            return Some(value);
        }
        if matches!(self.data.kind, Kind::Row(_)) {
            return None;
        }
        let other = fields.keys().find(|key| {
            let upper = |text: &str| text.starts_with(|c: char| c.is_ascii_uppercase());
            upper(name) && upper(key) && key.eq_ignore_ascii_case(name)
        });
        match other.cloned() {
            Some(key) => fields.remove(&key),
            None => absent::known(name).then_some(Value::Null),
        }
    }

    /// A value as an action prints it; nothing is printed as what it would be a lack of.
    fn shown(&self, pipeline: &Pipeline, value: &Value) -> String {
        match (value, self.data.kind, pipeline.commands.as_slice()) {
            (Value::Null, Kind::Document | Kind::Named(_), [Command { words }])
                if words.len() == 1 =>
            {
                let name = words[0].fields.last();
                name.map_or_else(|| display(value), |name| absent::shown(name).to_owned())
            }
            _ => display(value),
        }
    }

    fn missing(&self, name: &str) -> String {
        match self.data.kind {
            Kind::Row(kind) => format!("can't evaluate field {name} in type *formatter.{kind}"),
            Kind::Named(kind) => format!("can't evaluate field {name} in type {kind}"),
            Kind::Document => format!("map has no entry for key {name:?}"),
        }
    }
}

fn refuse(operand: &Operand, why: String) -> TemplateError {
    TemplateError::Execute {
        name: "",
        at: operand.at,
        what: operand.spelled(),
        why,
    }
}

fn undefined(name: &str) -> TemplateError {
    TemplateError::Parse {
        name: "",
        line: 1,
        why: format!("undefined variable \"${name}\""),
    }
}

//! The tree of a template.

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Printed as it is.
    Text(String),
    /// `{{pipeline}}`
    Action(Pipeline),
    /// `{{if}}`
    If(Branch),
    /// `{{with}}`
    With(Branch),
    /// `{{range}}`
    Range(Branch),
    /// `{{break}}`
    Break,
    /// `{{continue}}`
    Continue,
    /// `{{template "name" pipeline}}`
    Call(Call),
}

/// The use of a template by its name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) at: usize,
    pub(super) name: String,
    pub(super) pipeline: Option<Pipeline>,
}

/// A pipeline, what follows when it says yes, and what follows when it says no.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Branch {
    pub(super) pipeline: Pipeline,
    pub(super) then: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// `$x := command | command`
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pipeline {
    pub(super) variables: Vec<String>,
    pub(super) binding: Binding,
    pub(super) commands: Vec<Command>,
}

/// What a pipeline does with its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// It has none, or makes new ones.
    Declare,
    /// It changes one that exists.
    Assign,
}

/// A function or a value, and its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    pub(super) words: Vec<Operand>,
}

/// A value in a command.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Operand {
    pub(super) at: usize,
    pub(super) base: Base,
    /// The fields that follow: `.A.B`.
    pub(super) fields: Vec<String>,
}

/// Where an operand begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Base {
    /// `.`
    Dot,
    /// `$x`
    Variable(String),
    /// `len`
    Function(String),
    /// `"text"`, `3`, `true`, `nil`
    Literal(serde_json::Value),
    /// `(pipeline)`
    Nested(Box<Pipeline>),
}

impl Operand {
    /// The operand as it was written, for error messages.
    pub(super) fn spelled(&self) -> String {
        let base = match &self.base {
            Base::Dot if self.fields.is_empty() => ".".to_owned(),
            Base::Dot => String::new(),
            Base::Variable(name) => format!("${name}"),
            Base::Function(name) => name.clone(),
            Base::Literal(serde_json::Value::Null) => "nil".to_owned(),
            Base::Literal(value) => value.to_string(),
            Base::Nested(pipeline) => format!("({})", pipeline.spelled()),
        };
        let fields: String = self
            .fields
            .iter()
            .map(|field| format!(".{field}"))
            .collect();
        base + &fields
    }
}

impl Command {
    /// The command as it was written.
    pub(super) fn spelled(&self) -> String {
        let words: Vec<String> = self.words.iter().map(Operand::spelled).collect();
        words.join(" ")
    }
}

impl Pipeline {
    /// The pipeline as it was written.
    fn spelled(&self) -> String {
        let commands: Vec<String> = self.commands.iter().map(Command::spelled).collect();
        commands.join(" | ")
    }
}

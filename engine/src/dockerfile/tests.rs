//! A table of our own, which always runs, and hostile input.

use std::time::Instant;

use super::*;

#[track_caller]
fn refused(text: &str, sentence: &str) -> ParseError {
    let error = parse(text.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), sentence, "{text:?}");
    error
}

#[track_caller]
fn steps(text: &str) -> Vec<Instruction> {
    let file = parse(text.as_bytes()).unwrap_or_else(|error| panic!("{}", error.rendered()));
    file.stages
        .into_iter()
        .flat_map(|stage| stage.steps)
        .map(|step| step.instruction)
        .collect()
}

#[test]
fn a_comment_behind_from_is_refused_with_a_lesson() {
    let error = refused(
        "FROM busybox # step 1\n",
        "dockerfile parse error on line 1: FROM requires either one or three arguments",
    );
    let text = error.rendered();
    assert!(
        text.contains("\n 1 | FROM busybox # step 1\n   |              ^\n"),
        "{text}"
    );
    assert!(
        text.contains("begins a comment only at the start of a line"),
        "{text}"
    );
}

#[test]
fn sentences_are_dockers() {
    let table = [
        (
            "FROM b\nFOO bar",
            "dockerfile parse error on line 2: unknown instruction: FOO (did you mean FROM?)",
        ),
        (
            "FORM b",
            "dockerfile parse error on line 1: unknown instruction: FORM (did you mean FROM?)",
        ),
        (
            "FROM b\nXYZZYX",
            "dockerfile parse error on line 2: unknown instruction: XYZZYX",
        ),
        ("RUN true", "no build stage in current context"),
        (
            "FROM b\nCOPY a",
            "dockerfile parse error on line 2: COPY requires at least two arguments, but only one was provided. Destination could not be determined",
        ),
        (
            "FROM b\nCOPY --chwon=0 a b",
            "dockerfile parse error on line 2: unknown flag: chwon (did you mean chown?)",
        ),
        (
            "FROM b\nCOPY --chown a b",
            "dockerfile parse error on line 2: missing a value on flag: chown",
        ),
        (
            "FROM b\nCOPY --chown=a --chown=b a b",
            "dockerfile parse error on line 2: duplicate flag specified: chown",
        ),
        (
            "FROM b\nHEALTHCHECK FOO bar",
            "dockerfile parse error on line 2: Unknown type \"FOO\" in HEALTHCHECK (try CMD)",
        ),
        (
            "FROM b\nHEALTHCHECK --interval=1 CMD x",
            "dockerfile parse error on line 2: time: missing unit in duration \"1\"",
        ),
        (
            "FROM b\nHEALTHCHECK --interval=1us CMD x",
            "dockerfile parse error on line 2: Interval \"interval\" cannot be less than 1ms",
        ),
        (
            "FROM b\nHEALTHCHECK",
            "dockerfile parse error on line 2: HEALTHCHECK requires at least one argument",
        ),
        (
            "FROM b\nHEALTHCHECK NONE a",
            "dockerfile parse error on line 2: HEALTHCHECK NONE takes no arguments",
        ),
        (
            "FROM b\nSHELL bash",
            "dockerfile parse error on line 2: SHELL requires the arguments to be in JSON form",
        ),
        (
            "FROM b\nONBUILD FROM x",
            "dockerfile parse error on line 2: FROM isn't allowed as an ONBUILD trigger",
        ),
        (
            "FROM b\nONBUILD ONBUILD RUN x",
            "dockerfile parse error on line 2: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
        ),
        (
            "FROM b\nONBUILD",
            "dockerfile parse error on line 2: ONBUILD requires at least one argument",
        ),
        (
            "FROM b\nUSER",
            "dockerfile parse error on line 2: USER requires exactly one argument",
        ),
        (
            "FROM b\nENV A",
            "failed to parse Dockerfile: ENV must have two arguments",
        ),
        (
            "FROM b\nENV A=1 B",
            "failed to parse Dockerfile: Syntax error - can't find = in \"B\". Must be of the form: name=value",
        ),
        (
            "FROM b\nENV =1",
            "dockerfile parse error on line 2: ENV names can not be blank",
        ),
        (
            "FROM b\nARG =1",
            "dockerfile parse error on line 2: ARG names can not be blank",
        ),
        (
            "FROM b\nLABEL",
            "dockerfile parse error on line 2: LABEL requires at least one argument",
        ),
        (
            "FROM b\nVOLUME [\"\"]",
            "dockerfile parse error on line 2: VOLUME specified can not be an empty string",
        ),
        (
            "FROM b\nRUN --network=foo true",
            "dockerfile parse error on line 2: invalid network mode \"foo\"",
        ),
        (
            "FROM b AS 1a",
            "dockerfile parse error on line 1: invalid name for build stage: \"1a\", name can't start with a number or contain symbols",
        ),
        (
            "FROM b AS a b",
            "dockerfile parse error on line 1: FROM requires either one or three arguments",
        ),
        (
            "FROM --foo=1 b",
            "dockerfile parse error on line 1: unknown flag: foo",
        ),
        (
            "FROM b\nCMD [ \"echo\", [ \"nested\" ] ]",
            "failed to parse Dockerfile: when using JSON array syntax, arrays must be comprised of strings only",
        ),
        (
            "# escape=x\nFROM b",
            "failed to parse Dockerfile: invalid escape token 'x' does not match ` or \\",
        ),
        (
            "# escape=\\\n# escape=`\nFROM b",
            "failed to parse Dockerfile: only one escape parser directive can be used",
        ),
        (
            "\n# nothing\n",
            "failed to parse Dockerfile: file with no instructions",
        ),
        (
            "FROM b\nRUN <<EOF\nx\n",
            "failed to parse Dockerfile: unterminated heredoc",
        ),
    ];
    for (text, sentence) in table {
        refused(text, sentence);
    }
}

#[test]
fn carets_stand_under_the_word() {
    let text = refused(
        "FROM b\nRUN x \\\n  y\n\tCOPY --chwon=1 a b\n",
        "dockerfile parse error on line 4: unknown flag: chwon (did you mean chown?)",
    )
    .rendered();
    assert!(
        text.contains("\n 4 | \tCOPY --chwon=1 a b\n   | \t     ^^^^^^^"),
        "{text}"
    );
}

#[test]
fn lines_continue_and_comments_go() {
    let all = steps("FROM b\nRUN a \\\n# no\n\n  && b\\\\\nENV X=\"a \\\n  b\" Y=c\\ d\n");
    let Instruction::Run(run) = &all[0] else {
        panic!("{all:?}")
    };
    assert_eq!(run.command.words, ["a   && b\\\\"]);
    let Instruction::Env(pairs) = &all[1] else {
        panic!("{all:?}")
    };
    assert_eq!(pairs[0].value, "\"a   b\"");
    assert_eq!(pairs[1].value, "c\\ d");
    let all = steps("# escape=`\nFROM b\nRUN dir c:\\ `\n  x\n");
    assert!(matches!(&all[0], Instruction::Run(run) if run.command.words == ["dir c:\\   x"]));
    let all = steps("\u{feff}from b\r\nrun x\r\n");
    assert!(matches!(&all[0], Instruction::Run(run) if run.command.words == ["x"]));
}

#[test]
fn heredocs_are_scripts_and_files() {
    let all = steps(
        "FROM b\nRUN <<EOF\na\n  b\nEOF\nRUN cat <<-X | wc\n\tq\n\tX\nCOPY <<\"A\" <<B /dir/\n$x\nA\n$y\nB\nRUN true\n",
    );
    assert!(matches!(&all[0], Instruction::Run(run) if run.script() == "a\n  b\n"));
    assert!(matches!(&all[1], Instruction::Run(run) if run.script() == "cat <<-X | wc\nq\nX"));
    let Instruction::Copy(copy) = &all[2] else {
        panic!("{all:?}")
    };
    let [CopySource::Heredoc(a), CopySource::Heredoc(b)] = copy.sources.as_slice() else {
        panic!("{copy:?}")
    };
    assert_eq!(
        (a.name.as_str(), a.expand, a.content.as_str()),
        ("A", false, "$x\n")
    );
    assert_eq!(
        (b.name.as_str(), b.expand, b.content.as_str()),
        ("B", true, "$y\n")
    );
    assert_eq!(all.len(), 4);
}

#[test]
fn every_substitution_has_its_meaning() {
    let lookup = |name: &str| match name {
        "x" => Some("foo.tar.gz".to_owned()),
        "e" => Some(String::new()),
        _ => None,
    };
    let expander = Expander {
        escape: '\\',
        lookup: &lookup,
    };
    for (text, expected) in [
        ("$x-", "foo.tar.gz-"),
        ("${u:-y}", "y"),
        ("${e:-y}", "y"),
        ("${e-y}", ""),
        ("${u-y}", "y"),
        ("${x:+y}${e:+n}${e+y}${u+n}", "yy"),
        ("${x%.*}", "foo.tar"),
        ("${x%%.*}", "foo"),
        ("${x#*.}", "tar.gz"),
        ("${x##*.}", "gz"),
        ("${x/o/0}", "f0o.tar.gz"),
        ("${x//o/0}", "f00.tar.gz"),
        ("${x/f??./X}", "Xtar.gz"),
        ("${x//[/y}", "foo.tar.gz"),
        ("${x#q}", "foo.tar.gz"),
        ("'$x' \"$x\" \\$x", "$x foo.tar.gz $x"),
    ] {
        assert_eq!(expander.word(text).as_deref(), Ok(expected), "{text}");
    }
    assert_eq!(expander.word("${u:?no}").unwrap_err().to_string(), "u: no");
    assert_eq!(
        expander.word("${u?}").unwrap_err().to_string(),
        "u: not allowed to be unset"
    );
    assert_eq!(
        expander.text("a \"$e\" \\$x \\n $x").unwrap(),
        "a \"\" $x \\n foo.tar.gz"
    );
}

#[test]
fn bombs_are_refused_soon() {
    let started = Instant::now();
    let long = format!("FROM b\nRUN {}", "x".repeat(10 << 20));
    assert!(matches!(
        parse(long.as_bytes()).unwrap_err().kind,
        ParseErrorKind::TooLarge(_)
    ));
    let long = format!("FROM b\nRUN {}", "x".repeat(70_000));
    assert!(matches!(
        parse(long.as_bytes()).unwrap_err().kind,
        ParseErrorKind::LineTooLong(_)
    ));
    let many = format!("FROM b\n{}", "RUN x\n".repeat(600_000));
    assert!(matches!(
        parse(many.as_bytes()).unwrap_err().kind,
        ParseErrorKind::TooManyInstructions(_)
    ));
    assert!(matches!(
        parse(b"FROM b\nRUN \0").unwrap_err().kind,
        ParseErrorKind::NoText(_)
    ));
    assert!(matches!(
        parse(b"FROM b\nRUN \xff").unwrap_err().kind,
        ParseErrorKind::NoText(_)
    ));
    let continued = format!("FROM b\nRUN x {}\n y", "\\\n".repeat(10_000));
    assert_eq!(steps(&continued).len(), 1);
    let braces = "${a:-".repeat(5000);
    let expander = Expander {
        escape: '\\',
        lookup: &|_| None,
    };
    assert_eq!(expander.word(&braces), Err(ExpandError::TooComplex));
    let huge = "y".repeat(600_000);
    let expander = Expander {
        escape: '\\',
        lookup: &|_| Some(huge.clone()),
    };
    assert_eq!(expander.word("$a$a$a$a"), Err(ExpandError::TooLarge));
    let stars = format!("${{a//{}z/q}}", "*y".repeat(500));
    assert_eq!(expander.word(&stars), Err(ExpandError::TooComplex));
    // A bound on the algorithm, far from any host's speed: quadratic work would take minutes.
    assert!(started.elapsed().as_secs() < 60);
}

/// The same numbers on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }
}

#[test]
fn random_text_never_panics() {
    let pieces = [
        "FROM ",
        "RUN ",
        "COPY ",
        "ENV ",
        "ARG ",
        "ONBUILD ",
        "HEALTHCHECK ",
        "CMD ",
        "--mount=type=cache,target=/x ",
        "--from=a ",
        "a",
        "=",
        "\"",
        "'",
        "\\",
        "\n",
        "\\\n",
        "$",
        "${",
        "}",
        ":-",
        "#",
        "<<EOF",
        "EOF\n",
        "[",
        "]",
        ",",
        "é",
        "\t",
        " ",
        "%",
        "/",
        "*",
        "`",
    ];
    let mut numbers = Numbers(7);
    for _ in 0..20_000 {
        let mut text = String::from("FROM b\n");
        for _ in 0..numbers.below(24) {
            text.push_str(pieces[numbers.below(pieces.len())]);
        }
        match parse(text.as_bytes()) {
            Ok(file) => drop(lint(&file)),
            Err(error) => assert!(!error.rendered().is_empty()),
        }
        let lookup = |name: &str| (name == "a").then(|| "a b".to_owned());
        let expander = Expander {
            escape: '\\',
            lookup: &lookup,
        };
        let _ = (
            expander.word(&text),
            expander.words(&text),
            expander.text(&text),
        );
        if let Ok(ignore) = Ignore::parse(text.as_bytes()) {
            let _ = ignore.excludes("a/b/é");
        }
    }
}

#[test]
fn known_mistakes_are_found_on_their_lines() {
    let text = "FROM debian as base\nMAINTAINER me\nRUN apt-get update\nRUN apt-get install curl\nRUN cd /tmp\nRUN sudo ls\n\
        ADD . /app\nWORKDIR app\nENV DB_PASSWORD=x\nENV OLD style\nCMD a\nCMD [\"b\"]\nrun x\nENTRYPOINT top\n\
        ENV HOMEDIR=/h\nCOPY x $HOMEDR/\nRUN apt-get upgrade -y\n";
    let file = parse(text.as_bytes()).unwrap();
    let found: Vec<(usize, String)> = lint(&file)
        .iter()
        .map(|warning| (warning.line, format!("{:?}", warning.rule)))
        .collect();
    for (line, rule) in [
        (1, "FromAsCasing"),
        (1, "LatestTag"),
        (2, "MaintainerDeprecated"),
        (3, "AptGetUpdateAlone"),
        (4, "AptGetNoYes"),
        (4, "AptGetNoClean"),
        (5, "ChangeDirectoryInRun"),
        (6, "Sudo"),
        (7, "AddInsteadOfCopy"),
        (8, "WorkdirRelativePath"),
        (9, "SecretsUsedInArgOrEnv"),
        (10, "LegacyKeyValueFormat"),
        (11, "JSONArgsRecommended"),
        (11, "MultipleInstructionsDisallowed"),
        (12, "MultipleInstructionsDisallowed"),
        (13, "ConsistentInstructionCasing"),
        (14, "JSONArgsRecommended"),
        (16, "UndefinedVar"),
        (17, "AptGetUpgrade"),
    ] {
        assert!(
            found.contains(&(line, rule.to_owned())),
            "{rule} on line {line}: {found:?}"
        );
    }
    let clean = "FROM debian:12 AS base\nRUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*\n\
        COPY . /app\nWORKDIR /app\nUSER app\nCMD [\"b\"]\n";
    assert_eq!(lint(&parse(clean.as_bytes()).unwrap()), []);
    let skipped = "# check=skip=LatestTag\nFROM debian\n";
    assert_eq!(lint(&parse(skipped.as_bytes()).unwrap()), []);
}

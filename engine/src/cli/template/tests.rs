use serde_json::{Value, json};

use super::{Data, Kind, Template, TemplateError};

fn document() -> Value {
    json!({
        "Name": "/web",
        "Args": ["-c", "ls"],
        "State": { "Running": true, "ExitCode": 0, "Error": "" },
        "Config": { "Env": ["A=1", "B=2"], "Labels": { "b": "2", "a": "1" }, "Cmd": null },
        "NetworkSettings": {
            "IPAddress": "172.17.0.2",
            "Ports": { "80/tcp": [{ "HostIp": "0.0.0.0", "HostPort": "8080" }] },
        },
    })
}

fn execute(text: &str, kind: Kind) -> Result<String, TemplateError> {
    let document = document();
    let methods = json!({ "Label": { "a": "1" } });
    let data = Data {
        value: &document,
        methods: &methods,
        kind,
    };
    Template::parse(text)?.execute(data)
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(execute(text, Kind::Document).unwrap(), expected, "{text}");
}

#[track_caller]
fn refused(text: &str, kind: Kind, message: &str) {
    assert_eq!(
        execute(text, kind).unwrap_err().to_string(),
        message,
        "{text}"
    );
}

#[test]
fn fields_and_text() {
    check("ip={{ .NetworkSettings.IPAddress }}!", "ip=172.17.0.2!");
    check("{{.State.Running}} {{.State.ExitCode}}", "true 0");
    check("{{.Args}} {{.Config.Labels}}", "[-c ls] map[a:1 b:2]");
    check("{{.Config.Cmd}} {{.State.Health}}", "[] <nil>");
    check("{{if .State.Health}}h{{else}}-{{end}}", "-");
    check("{{.NetworkSettings.Ports}}", "map[80/tcp:[{0.0.0.0 8080}]]");
    check("{{/* nothing */}}x", "x");
    check("a  {{- .Name -}}  b", "a/webb");
}

#[test]
fn functions() {
    check("{{json .Args}}", r#"["-c","ls"]"#);
    check(r#"{{index .Config.Labels "a"}}"#, "1");
    check(
        r#"{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}"#,
        "8080",
    );
    check(r#"{{index .Config.Env 1}}"#, "B=2");
    check(r#"{{index .Config.Labels "none"}}."#, ".");
    check("{{len .Args}} {{len .Name}}", "2 4");
    check(r#"{{join .Args "+"}}"#, "-c+ls");
    check(
        "{{upper .Name}} {{.Name | lower}} {{title `ab cd`}}",
        "/WEB /web Ab Cd",
    );
    check(
        r#"{{printf "%-6s|%3d" .Name .State.ExitCode}}"#,
        "/web  |  0",
    );
    check("{{println .Name}}", "/web\n");
    check("{{slice .Name 1}} {{slice .Name 1 2}}", "web w");
    check(r#"{{split "a,b" ","}}"#, "[a b]");
    check(r#"{{truncate .Name 2}}{{pad "x" 1 2}}."#, "/w x  .");
    check(r#"{{.Name | printf "%s-%s" "a"}}"#, "a-/web");
}

#[test]
fn decisions() {
    check("{{if .State.Running}}up{{else}}down{{end}}", "up");
    check(
        "{{if .State.Error}}e{{else if .State.ExitCode}}c{{else}}ok{{end}}",
        "ok",
    );
    check(r#"{{if eq .Name "/x" "/web"}}yes{{end}}"#, "yes");
    check(
        r#"{{if and .State.Running (not .State.Error)}}yes{{end}}"#,
        "yes",
    );
    check(r#"{{or .State.Error "none"}}"#, "none");
    check("{{if gt (len .Args) 1}}many{{end}}", "many");
    check("{{with .State.Error}}{{.}}{{else}}fine{{end}}", "fine");
}

#[test]
fn loops_and_variables() {
    check("{{range .Args}}<{{.}}>{{end}}", "<-c><ls>");
    check(
        "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}",
        "a=1;b=2;",
    );
    check(
        "{{range $i, $e := .Args}}{{if $i}},{{end}}{{$e}}{{end}}",
        "-c,ls",
    );
    check("{{range .Config.Cmd}}x{{else}}empty{{end}}", "empty");
    check(
        "{{$n := .Name}}{{range .Args}}{{$n}}{{$.Name}}{{end}}",
        "/web/web/web/web",
    );
    check(
        "{{range $p, $c := .NetworkSettings.Ports}}{{$p}}->{{(index $c 0).HostPort}}{{end}}",
        "80/tcp->8080",
    );
}

#[test]
fn errors_are_worded_as_go_words_them() {
    refused("{{.Foo", Kind::Document, "template: :1: unclosed action");
    refused(
        "{{foo}}",
        Kind::Document,
        "template: :1: function \"foo\" not defined",
    );
    refused(
        "{{if .Name}}",
        Kind::Document,
        "template: :1: unexpected EOF",
    );
    refused(
        "{{end}}",
        Kind::Document,
        "template: :1: unexpected {{end}}",
    );
    refused(
        "{{.Foo}}",
        Kind::Document,
        "template: :1:2: executing \"\" at <.Foo>: map has no entry for key \"Foo\"",
    );
    refused(
        "{{.Foo}}",
        Kind::Row("ContainerContext"),
        "template: :1:2: executing \"\" at <.Foo>: \
         can't evaluate field Foo in type *formatter.ContainerContext",
    );
}

#[test]
fn rows_have_labels_and_their_own_json() {
    let row = json!({ "Ports": "80->80/tcp", "ID": "1" });
    let methods = json!({ "Label": { "a": "1" } });
    let data = Data {
        value: &row,
        methods: &methods,
        kind: Kind::Row("ContainerContext"),
    };
    let run = |text: &str| Template::parse(text).unwrap().execute(data).unwrap();
    assert_eq!(run("{{json .}}"), r#"{"ID":"1","Ports":"80-\u003e80/tcp"}"#);
    assert_eq!(run("{{json .Ports}}"), r#""80->80/tcp""#);
    assert_eq!(run(r#"{{.Label "a"}}{{.Label "z"}}"#), "1");
}

#[test]
fn templates_call_one_another() {
    check(
        r#"{{define "T"}}[{{.}}]{{end}}{{template "T" .Name}}"#,
        "[/web]",
    );
    check(r#"{{block "T" .Name}}<{{.}}>{{end}}"#, "</web>");
    check(
        r#"{{range .Args}}{{if eq . "ls"}}{{break}}{{end}}{{.}}{{end}}"#,
        "-c",
    );
    check(
        r#"{{range .Args}}{{if eq . "-c"}}{{continue}}{{end}}{{.}}{{end}}"#,
        "ls",
    );
    check(
        r#"{{html "<a>"}} {{urlquery "a b"}} {{js "it's"}}"#,
        r"&lt;a&gt; a+b it\'s",
    );
    refused(
        r#"{{define "T"}}{{template "T"}}{{end}}{{template "T"}}"#,
        Kind::Document,
        "template: :1:25: executing \"\" at <{{template \"T\"}}>: \
         exceeded maximum template depth (100)",
    );
    refused(
        "{{break}}",
        Kind::Document,
        "template: :1: {{break}} outside {{range}}",
    );
}

#[test]
fn errors_name_the_whole_call() {
    refused(
        "{{index .Args 9}}",
        Kind::Document,
        "template: :1:2: executing \"\" at <index .Args 9>: \
         error calling index: index out of range: 9",
    );
    refused(
        "{{eq .Name 1}}",
        Kind::Document,
        "template: :1:2: executing \"\" at <eq .Name 1>: \
         error calling eq: incompatible types for comparison",
    );
    refused(
        "{{.Config.Nope.Deeper}}",
        Kind::Document,
        "template: :1:9: executing \"\" at <.Config.Nope.Deeper>: \
         map has no entry for key \"Nope\"",
    );
}

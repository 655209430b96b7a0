//! Documents as editors write them, as Markdown.

use std::sync::Arc;

use yrs::{XmlElementRef, XmlFragmentRef, XmlTextPrelim, types::Attrs};

use super::*;

fn taken(doc: &Doc) -> YjsDocument {
    let mut document = YjsDocument::default();
    let update = doc.transact().encode_state_as_update_v1(&StateVector::default());
    document.replay(&update.into()).expect("honest");
    document
}

fn attrs(names: &[&str]) -> Attrs {
    names.iter().map(|name| (Arc::from(*name), Any::Bool(true))).collect()
}

/// Puts an element behind all others, with attributes and a text.
fn put(
    parent: &impl XmlFragment,
    txn: &mut yrs::TransactionMut<'_>,
    name: &str,
    attributes: &[(&'static str, Any)],
    text: &str,
) -> XmlElementRef {
    let element = parent.push_back(txn, XmlElementPrelim::empty(name));
    for (name, value) in attributes {
        element.insert_attribute(txn, *name, value.clone());
    }
    if !text.is_empty() {
        element.push_back(txn, XmlTextPrelim::new(text));
    }
    element
}

/// What [`xml_of_editors_is_markdown`] is to read.
const OF_XML: &str = r#"## A plan

**_all_**[here](https://a.example/?b&amp;c) \<b\> and \*so\*\
evil

![A \[b\]](/a%20%281%29.png)

3. three
   - inside

- [x] milk
- [ ] milk

> said
>
> ````rust
> let a = 1;
> ```
> ````

___

| a&#124;b | c |
| --- | --- |
| d | e |

1\. kept
"#;

/// What Tiptap and `ProseMirror` write through y-prosemirror.
#[test]
fn xml_of_editors_is_markdown() {
    let doc = client(1);
    let root: XmlFragmentRef = doc.get_or_insert_xml_fragment("default");
    {
        let txn = &mut doc.transact_mut();
        put(&root, txn, "heading", &[("level", Any::from(2))], "A plan");
        let line = put(&root, txn, "paragraph", &[], "");
        let text = line.push_back(txn, XmlTextPrelim::new(""));
        text.insert_with_attributes(txn, 0, "all", attrs(&["strong", "em"]));
        let link = Any::from_json(r#"{"href":"https://a.example/?b&c","target":"_blank"}"#).expect("JSON");
        text.insert_with_attributes(txn, 3, "here", [(Arc::from("link"), link)].into());
        text.insert_with_attributes(txn, 7, " <b> and *so*", attrs(&["underline"]));
        put(&line, txn, "hardBreak", &[], "");
        let evil = Any::from_json(r#"{"href":"java\nscript:alert(1)"}"#).expect("JSON");
        let text = line.push_back(txn, XmlTextPrelim::new(""));
        text.insert_with_attributes(txn, 0, "evil", [(Arc::from("link--1f"), evil)].into());
        put(&root, txn, "image", &[("src", "/a (1).png".into()), ("alt", "A [b]".into())], "");
        let list = put(&root, txn, "orderedList", &[("start", Any::from(3))], "");
        let item = put(&list, txn, "listItem", &[], "");
        put(&item, txn, "paragraph", &[], "three");
        let inner = put(&item, txn, "bullet_list", &[], "");
        let inner = put(&inner, txn, "list_item", &[], "");
        put(&inner, txn, "paragraph", &[], "inside");
        let tasks = put(&root, txn, "taskList", &[], "");
        for is_done in [true, false] {
            let task = put(&tasks, txn, "taskItem", &[("checked", Any::Bool(is_done))], "");
            put(&task, txn, "paragraph", &[], "milk");
        }
        let quote = put(&root, txn, "blockquote", &[], "");
        put(&quote, txn, "paragraph", &[], "said");
        put(&quote, txn, "codeBlock", &[("language", "rust".into())], "let a = 1;\n```");
        put(&root, txn, "horizontalRule", &[], "");
        let table = put(&root, txn, "table", &[], "");
        for cells in [["a|b", "c"], ["d", "e"]] {
            let row = put(&table, txn, "tableRow", &[], "");
            for text in cells {
                let cell = put(&row, txn, "tableHeader", &[], "");
                put(&cell, txn, "paragraph", &[], text);
            }
        }
        let unknown = put(&root, txn, "callout", &[], "");
        put(&unknown, txn, "paragraph", &[], "1. kept");
    }
    assert_eq!(taken(&doc).markdown(None).expect("there is one"), OF_XML);
}

#[test]
fn texts_of_quill_are_markdown() {
    let doc = client(1);
    let root = doc.get_or_insert_text("body");
    let line = |name: &str, value: &str| -> Attrs {
        [(Arc::from(name), Any::from_json(value).expect("JSON"))].into()
    };
    {
        let txn = &mut doc.transact_mut();
        let mut push = |text: &str, format: Attrs| {
            let end = root.len(txn);
            root.insert_with_attributes(txn, end, text, format);
        };
        push("Title", Attrs::new());
        push("\n", line("header", "1"));
        push("plain ", Attrs::new());
        push("bold", attrs(&["bold"]));
        push(" and ", Attrs::new());
        push("here", line("link", r#""https://a.example""#));
        push("\nsecond\nmilk", Attrs::new());
        push("\n", line("list", r#""checked""#));
        push("one", Attrs::new());
        push("\n", line("list", r#""ordered""#));
        push("inside", Attrs::new());
        push("\n", Attrs::from([(Arc::from("list"), "bullet".into()), (Arc::from("indent"), Any::from(1))]));
        push("two", Attrs::new());
        push("\n", line("list", r#""ordered""#));
        push("said", Attrs::new());
        push("\n", line("blockquote", "true"));
        push("fn a() {", Attrs::new());
        push("\n", line("code-block", r#""rust""#));
        push("}", Attrs::new());
        push("\n", line("code-block", r#""rust""#));
        push("x", line("script", r#""super""#));
    }
    let expected = "# Title\n\nplain **bold** and [here](https://a.example)\n\nsecond\n\n- [x] milk\n\n1. one\n   - inside\n2. two\n\n\
        > said\n\n```rust\nfn a() {\n}\n```\n\nx\n";
    assert_eq!(taken(&doc).markdown(Some("body")).expect("it is there"), expected);
}

#[test]
fn only_rich_text_is_markdown() {
    let doc = client(1);
    for name in ["a", "b"] {
        doc.get_or_insert_text(name).insert(&mut doc.transact_mut(), 0, name);
    }
    doc.get_or_insert_map("map").insert(&mut doc.transact_mut(), "a", 1);
    let document = taken(&doc);
    assert_eq!(document.markdown(Some("a")).as_deref(), Ok("a\n"));
    let roots = ["a".to_owned(), "b".to_owned()].into();
    assert_eq!(document.markdown(None), Err(MarkdownError::Ambiguous { roots }));
    assert_eq!(document.markdown(Some("map")), Err(MarkdownError::NotRich { root: "map".into() }));
    assert_eq!(document.markdown(Some("c")), Err(MarkdownError::NoRoot { root: "c".into() }));
    let none = YjsDocument::default().markdown(None);
    assert_eq!(none, Err(MarkdownError::Ambiguous { roots: Default::default() }));
}

/// Goal: lists and quotes in each other make no line long beyond measure, and nothing is lost.
#[test]
fn depth_is_bounded() {
    const DEPTH: usize = 200;
    let doc = client(1);
    let root = doc.get_or_insert_xml_fragment("default");
    {
        let txn = &mut doc.transact_mut();
        let mut at = put(&root, txn, "blockquote", &[], "");
        for _ in 1..DEPTH {
            at = put(&at, txn, "blockquote", &[], "");
        }
        put(&at, txn, "paragraph", &[], "deep");
    }
    let markdown = taken(&doc).markdown(None).expect("there is one");
    assert_eq!(markdown, format!("{}deep\n", "> ".repeat(32)));
}

/// Goal: a language has as many bytes wherever code stands. Method: the longest, and one that is longer, in a text with the formats of
/// Quill and in an element of `ProseMirror`.
#[test]
fn a_language_that_is_too_long_is_none() {
    for (name, is_written) in [("a".repeat(64), true), ("a".repeat(65), false)] {
        let doc = client(1);
        let text = doc.get_or_insert_text("quill");
        let root = doc.get_or_insert_xml_fragment("xml");
        {
            let txn = &mut doc.transact_mut();
            text.insert(txn, 0, "x");
            let format = Attrs::from([(Arc::from("code-block"), name.as_str().into())]);
            text.insert_with_attributes(txn, 1, "\n", format);
            put(&root, txn, "codeBlock", &[("language", name.as_str().into())], "x");
        }
        let (document, name) = (taken(&doc), if is_written { &*name } else { "" });
        for root in ["quill", "xml"] {
            let markdown = document.markdown(Some(root));
            assert_eq!(markdown.as_deref(), Ok(&*format!("```{name}\nx\n```\n")), "{root}");
        }
    }
}

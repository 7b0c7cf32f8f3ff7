package bundles

import (
	"fmt"
	"strings"
	"testing"
)

// JSON is read as RFC 8259 has it, and only where every reader reads the same.
func TestJSON(t *testing.T) {
	for text, want := range map[string]string{
		"{\n\t\"a\": [\n\t\t1\n\t]\n}\n":                   `{"a":[1]}`,
		`{"a\/\u0062":"\ud834\udd1e","":"# x: y"}`:         `{"":"# x: y","a/b":"𝄞"}`,
		`{"<<":{"a":1},"*x":"&y","!!t":"!!u"}`:             `{"!!t":"!!u","*x":"&y","<<":{"a":1}}`,
		`{"a":null,"b":[true,false,-1.5e-7,{}],"c":"yes"}`: `{"a":null,"b":[true,false,-1.5e-7,{}],"c":"yes"}`,
	} {
		if got := asJSON(mustLoad(t, files{"data.json": text}).Data); got != want {
			t.Errorf("%q is read as %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"{\"x\":\n{\"a\":1,\n\"b\":2,\"a\":3}}": "b/data.json:2: JSON refused at byte 6: duplicate_key",
		"{\n\"a\": 1,\n}":                       "b/data.json:3",
		"{\"a\": 1}\n{}":                        "b/data.json:2",
		`{"a": 9007199254740993}`:               "lossy_number",
		`{"a": NaN}`:                            "syntax",
		`{'a': 1}`:                              "syntax",
		"a: 1":                                  "syntax",
		"// no\n{}":                             "syntax",
		"{\"a\": \"\xff\"}":                     "utf8",
		`{"a": "\u0000"}`:                       "nul",
		"\uFEFF{}":                              "bom",
		strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65): "depth",
		`[1]`:  "does not hold an object",
		`null`: "does not hold an object",
		``:     "syntax",
	} {
		_, err := Load(in(files{"data.json": text}), "b")
		wantError(t, err, "b/data.json", want)
	}
}

// goodYAML are texts and what they say.
var goodYAML = map[string]string{
	"a: yes\nb: on\nc: True\nd: ~\ne: NULL\nf:\ng: FALSE\n": `{"a":"yes","b":"on","c":true,"d":null,"e":null,"f":null,"g":false}`,
	"on: 1\nno: 2\ny: 3\n":                                           `{"no":2,"on":1,"y":3}`,
	"a: 1\nb: -1.50\ne: -0\nf: 9007199254740991\n":                   `{"a":1,"b":-1.50,"e":0,"f":9007199254740991}`,
	"a: 2026-11-23\nb: 2026-11-23T10:00:00Z\n2026-11-24: c\n":        `{"2026-11-24":"c","a":"2026-11-23","b":"2026-11-23T10:00:00Z"}`,
	"a: 10:20:30\nb: 1.2.3\nc: 10m\nd: 0x\ne: =\n":                   `{"a":"10:20:30","b":"1.2.3","c":"10m","d":"0x","e":"="}`,
	"a: '1'\nb: \"2\"\n'3': c\n\"true\": d\n":                        `{"3":"c","a":"1","b":"2","true":"d"}`,
	"a: |\n  x\n  y\nb: >-\n  x\n  y\nc: 'it''s'\nd: \"\\u0041\\t\"": `{"a":"x\ny\n","b":"x y","c":"it's","d":"A\t"}`,
	"---\na: {b: [1, {c: d}]}\n...\n":                                `{"a":{"b":[1,{"c":"d"}]}}`,
	"a:\r\n- b\r\n-  - c\r\n":                                        `{"a":["b",["c"]]}`,
	"? a\n: b\n":                                                     `{"a":"b"}`,
	"{}":                                                             `{}`,
	"a: &x {b: 1}\nc: *x\nd: [*x, *x]\n":                             `{"a":{"b":1},"c":{"b":1},"d":[{"b":1},{"b":1}]}`,
	"a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n":                           `{"a":{"b":1},"c":{"b":1,"d":2}}`,
	"a: &x {b: 1}\ny: &y {c: 2}\nz: {<<: [*x, *y], d: 3}\n":          `{"a":{"b":1},"y":{"c":2},"z":{"b":1,"c":2,"d":3}}`,
	"'<<': {a: 1}\n":                                                 `{"<<":{"a":1}}`,
	"a: &x b\nc: *x\n":                                               `{"a":"b","c":"b"}`,
	"<<: {a: 1}\nb: 2\n":                                             `{"a":1,"b":2}`,
}

func TestYAML(t *testing.T) {
	for text, want := range goodYAML {
		if got := asJSON(mustLoad(t, files{"data.yaml": text}).Data); got != want {
			t.Errorf("%q is read as %s, want %s", text, got, want)
		}
	}
}

// What readers of YAML read differently is refused, with its line.
func TestRefusedYAML(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'i'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 10), ","))
	}
	for name, c := range map[string]struct{ text, want string }{
		"name twice":                 {"a: 1\nb: 2\na: 3\n", `line 3: "a" is in line 1 already`},
		"name twice, quoted":         {"a: 1\n\"a\": 2\n", `line 2: "a" is in line 1`},
		"name twice, coded":          {"a: 1\n\"\\x61\": 2\n", `line 2: "a" is in line 1`},
		"name twice, in braces":      {"x:\n  {a: 1, a: 1}\n", `line 2: "a"`},
		"name twice, in a list":      {"x:\n- a: 1\n  a: 2\n", `line 3: "a"`},
		"merge overridden":           {"x: &x {a: 1}\ny:\n  <<: *x\n  a: 2\n", `line 4: "a" is in line 3`},
		"merge overrides":            {"x: &x {a: 1}\ny:\n  a: 2\n  <<: *x\n", `line 4: "a" is in line 3`},
		"merges of the same":         {"x: &x {a: 1}\nz: &z {a: 2}\ny:\n  <<: [*x, *z]\n", `line 4: "a"`},
		"merges of the same, apart":  {"x: &x {a: 1}\nz: &z {a: 2}\ny:\n  <<: *x\n  <<: *z\n", `line 5: "a"`},
		"merge of a list":            {"x: &x [1]\ny:\n  <<: *x\n", "line 3: << merges objects only"},
		"merge of text":              {"<<: x\n", "line 1: << merges objects only"},
		"merge of nothing":           {"<<: []\n", "line 1: << merges objects only"},
		"number for a name":          {"a:\n  8080: x\n", "line 2: a name is not a string: put it in quotes"},
		"true for a name":            {"true: x\n", "put it in quotes"},
		"null for a name":            {"~: x\n", "put it in quotes"},
		"nothing for a name":         {": x\n", "yaml"},
		"list for a name":            {"? [1, 2]\n: x\n", "put it in quotes"},
		"alias for a name":           {"a: &x b\n*x : c\n", "line 2: a name is not a string"},
		"tagged name":                {"!!str 1: x\n", "put it in quotes"},
		"not a number":               {"a: .nan\n", "line 1: .nan is not a number"},
		"infinite":                   {"a: -.inf\n", "-.inf is not a number"},
		"hexadecimal":                {"a: 0x1F\n", "0x1F is not a number that every reader"},
		"octal":                      {"a: 0o14\n", "0o14"},
		"octal of YAML 1.1":          {"a: 014\n", "014"},
		"binary":                     {"a: 0b1\n", "0b1"},
		"digits in groups":           {"a: 1_000\n", "1_000"},
		"an exponent":                {"a: 1e3\n", "1e3"},
		"a signed exponent":          {"a: 1.5E+3\n", "1.5E+3"},
		"a byte order mark":          {"\uFEFFa: 1\n", "byte order mark"},
		"a colon at the end":         {"{0:}\n", "ends in a colon"},
		"UTF-16":                     {"\xff\xfea\x00:\x00 \x001\x00", "must be UTF-8"},
		"leading zero":               {"a: 08\n", "08"},
		"plus sign":                  {"a: +1\n", "+1"},
		"no digit before the point":  {"a: .5\n", ".5"},
		"no digit after the point":   {"a: 1.\n", "1."},
		"integer beyond float64":     {"a: 9007199254740993\n", "9007199254740993"},
		"negative beyond float64":    {"a: -9007199254740993\n", "-9007199254740993"},
		"integer beyond 64 bits":     {"a: 18446744073709551616\n", "18446744073709551616"},
		"more digits than float64's": {"a: 0.1234567890123456789\n", "0.1234567890123456789"},
		"tag":                        {"a: !!binary aGVsbG8=\n", "line 1: the tag !!binary is not allowed"},
		"tag of an application":      {"a: !secret x\n", "the tag !secret"},
		"tag that changes a value":   {"a: !!str 1\n", "the tag !!str"},
		"tag of a set":               {"a: !!set {x, y}\n", "the tag !!set"},
		"tag of an object":           {"a: !!map {}\n", "the tag !!map"},
		"tag behind an alias":        {"a: [&x !!str 1, *x]\n", "the tag !!str"},
		"alias to nowhere":           {"a: *nope\n", "nope"},
		"alias to what it is in":     {"a: &a\n  b: *a\n", "in themselves"},
		"alias to a list it is in":   {"a: &a [*a, *a]\n", "in themselves"},
		"aliases of aliases":         {bomb, "the aliases stand for more than"},
		"too deep":                   {"a: " + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "\n", "nested more than 64 deep"},
		"far too deep":               {"a: " + strings.Repeat("[", 1<<20), "yaml"},
		"U+0000":                     {"a: \"x\\0\"\n", "U+0000"},
		"U+0000 in a name":           {"\"x\\0\": a\n", "U+0000"},
		"half a surrogate pair":      {"a: \"\\ud834\"\n", "Unicode"},
		"not UTF-8":                  {"a: \xff\n", "UTF-8"},
		"two documents":              {"a: 1\n---\nb: 2\n", "it must hold one document"},
		"mistake behind":             {"a: 1\n---\n}\n", "yaml"},
		"tab":                        {"a:\n\t- b\n", "line 2"},
		"dedented":                   {"  a:\nb: 1\n", "yaml"},
		"a list":                     {"- a\n", "does not hold an object"},
		"text":                       {"a\n", "does not hold an object"},
		"nothing":                    {"", "holds nothing"},
		"a comment":                  {"# a: 1\n", "holds nothing"},
		"an empty document":          {"---\n", "does not hold an object"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(in(files{"x/data.yaml": c.text}), "b")
			wantError(t, err, "b/x/data.yaml", c.want)
		})
	}
}

func TestLocate(t *testing.T) {
	b := mustLoad(t, files{
		"data.yaml":               "top:\n  x: 1\nremit:\n  settings:\n    a: 1\nauth:\n  y: 1\n",
		"auth/x/data.json":        `{}`,
		"remit/data.json":         "{\n\t\"settings\": {\n\t\t\"b\": 2\n\t},\n\t\"b\\u0065\":\n\t\t[\n\t\t\t{\"x\": 1},\n\t\t\t[2,\n\t\t\t3]\n\t\t]}",
		"remit/catalog/data.yaml": "# the catalog\n\nsystems:\n  crm: &crm\n    hosts:\n    - crm.example.test\n    - match: \"*.crm.test\"\n      port: 1\n  \"wi ki\":\n    <<: *crm\n    x: {y: 1,\n      z: 2}\n  copy: *crm\n  both:\n    <<: [{p: 1}, {q: 1,\n      r: 2}]\n",
		"solo/deep/data.json":     " \n{ }",
	})
	const yamlFile, jsonFile, top = "b/remit/catalog/data.yaml", "b/remit/data.json", "b/data.yaml"
	for path, want := range map[string]string{
		"top":                                    top + ":1",
		"top/x":                                  top + ":2",
		"auth":                                   top + ":6",
		"auth/x":                                 "b/auth/x/data.json:1",
		"auth/y":                                 top + ":7",
		"remit/settings/a":                       top + ":5",
		"remit/settings/b":                       jsonFile + ":3",
		"remit/be":                               jsonFile + ":5",
		"remit/be/0":                             jsonFile + ":7",
		"remit/be/0/x":                           jsonFile + ":7",
		"remit/be/1":                             jsonFile + ":8",
		"remit/be/1/1":                           jsonFile + ":9",
		"remit/be/1/2":                           jsonFile + ":8",
		"remit/be/1/1/gone":                      jsonFile + ":9",
		"remit/be/01":                            jsonFile + ":5",
		"remit/catalog/systems":                  yamlFile + ":3",
		"remit/catalog/systems/crm":              yamlFile + ":4",
		"remit/catalog/systems/crm/hosts/0":      yamlFile + ":6",
		"remit/catalog/systems/crm/hosts/1":      yamlFile + ":7",
		"remit/catalog/systems/crm/hosts/2":      yamlFile + ":5",
		"remit/catalog/systems/crm/hosts/1/port": yamlFile + ":8",
		"remit/catalog/systems/wi ki":            yamlFile + ":9",
		"remit/catalog/systems/wi ki/x/y":        yamlFile + ":11",
		"remit/catalog/systems/wi ki/x/z":        yamlFile + ":12",
		"remit/catalog/systems/wi ki/hosts/0":    yamlFile + ":6",
		"remit/catalog/systems/wi ki/<<":         yamlFile + ":9",
		"remit/catalog/systems/copy/hosts":       yamlFile + ":5",
		"remit/catalog/systems/both/p":           yamlFile + ":15",
		"remit/catalog/systems/both/r":           yamlFile + ":16",
		"remit/catalog/systems/gone/x":           yamlFile + ":3",
		"remit/catalog":                          yamlFile + ":3",
		"remit/gone":                             top + ":3",
		"solo":                                   "b/solo/deep/data.json:2",
		"solo/deep":                              "b/solo/deep/data.json:2",
		"solo/deep/gone":                         "b/solo/deep/data.json:2",
		"gone":                                   top + ":1",
	} {
		file, line := b.Locate(strings.Split(path, "/")...)
		if got := fmt.Sprintf("%s:%d", file, line); got != want {
			t.Errorf("data.%s is in %s, want %s", strings.ReplaceAll(path, "/", "."), got, want)
		}
	}
	if file, line := b.Locate(); file != top || line != 1 {
		t.Errorf("the data is in %s:%d", file, line)
	}
}

package value

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/valyala/fastjson"
)

// toolCall is a body as an MCP client sends it: about 600 bytes.
const toolCall = `{"jsonrpc":"2.0","id":42,"method":"tools/call","params":{"name":"github_create_issue","arguments":{` +
	`"owner":"octo-org","repo":"payments-service","title":"Refund job fails for orders with two currencies",` +
	`"body":"The nightly refund job stops at the first order that was paid in two currencies.\n\nSteps:\n1. create the order\n2. refund half of it\n",` +
	`"labels":["bug","payments","priority-2"],"assignees":["mona"],"milestone":12,"confidential":false},` +
	`"_meta":{"progressToken":"b1946ac9-2f0e-4c67-8d2b-6a3c9a8f1e11","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}}`

func BenchmarkToolCall(b *testing.B) {
	text := []byte(toolCall)
	var fast fastjson.Parser
	readers := []struct {
		name string
		read func() error
	}{
		{"ParseJSON", func() error { _, err := ParseJSON(text); return err }},
		{"encodingjson", func() error { var x any; return json.Unmarshal(text, &x) }},
		{"encodingjsonUseNumber", func() error {
			d := json.NewDecoder(bytes.NewReader(text))
			d.UseNumber()
			var x any
			return d.Decode(&x)
		}},
		{"fastjsonReused", func() error { _, err := fast.ParseBytes(text); return err }},
	}
	for _, r := range readers {
		b.Run(r.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if err := r.read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHasCaseCollision(b *testing.B) {
	v, err := ParseJSON([]byte(toolCall))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if HasCaseCollision(v) {
			b.Fatal("no two names of the body collide")
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	v, err := ParseJSON([]byte(toolCall))
	if err != nil {
		b.Fatal(err)
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendJSON(dst[:0], v)
	}
}

// BenchmarkDense shows what the smallest values cost in time and memory.
func BenchmarkDense(b *testing.B) {
	text := []byte("[" + strings.Repeat("0,", 1<<17-1) + "0]")
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := ParseJSON(text); err != nil {
			b.Fatal(err)
		}
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/remit-pdp/remit/pdp/value"
)

// printIndented prints a value as JSON for a person.
func printIndented(out io.Writer, v value.Value) error {
	var text bytes.Buffer
	if err := json.Indent(&text, value.AppendJSON(nil, v), "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, text.String())
	return err
}

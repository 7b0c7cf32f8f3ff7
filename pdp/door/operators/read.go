package operators

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/remit-pdp/remit/pdp/value"
)

// read reads an order strictly: an operator's mistake must not do something else,
// to somebody else, or for another time.
func read[O any](body io.Reader) (o O, err error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return o, err
	}
	// Members that come twice are refused here, those that are unknown below.
	parsed, err := value.ParseJSON(text)
	if err != nil {
		return o, fmt.Errorf("the order is not JSON: %w", err)
	}
	if value.HasCaseCollision(parsed) {
		return o, errors.New("the order has members that differ only in case")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		return o, fmt.Errorf("the order cannot be read: %w", err)
	}
	return o, nil
}

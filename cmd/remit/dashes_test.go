package main

import (
	"strings"
	"testing"
)

// An id that begins with a dash is an id, wherever it stands; a flag is a flag.
func TestIDsThatBeginWithADash(t *testing.T) {
	id, fingerprint := "-r7ovcDbOsZyz5DHVQEFqbOBMeCMgiMjThLHQgHDchMN2SrNWr04fg", "-r7ovcDbOsZyz5DHVQEFqb"
	for line, want := range map[string]string{
		"log show " + id:                                       "log show -- " + id,
		"log show " + id + " --config x.yaml":                  "log show --config x.yaml -- " + id,
		"-c x.yaml log show " + id:                             "-c x.yaml log show -- " + id,
		"log show -- " + id:                                    "log show -- " + id,
		"log show " + id[1:]:                                   "log show " + id[1:],
		"log tail " + id:                                       "log tail " + id,
		"revoke credential " + fingerprint + " --reason x":     "revoke credential --reason x -- " + fingerprint,
		"revoke credential --operators-token-file t " + id[1:]: "revoke credential --operators-token-file t " + id[1:],
		"revoke agent " + fingerprint:                          "revoke agent " + fingerprint,
		"":                                                     "",
	} {
		args := strings.Fields(line)
		if got := strings.Join(withIDs(newRoot(args), args), " "); got != want {
			t.Errorf("%q becomes %q, want %q", line, got, want)
		}
	}
	_, config := workplace(t)
	if _, err := run(t, "log", "show", id, "-c", config); err == nil || strings.Contains(err.Error(), "flag") {
		t.Errorf("an id that begins with a dash: %v", err)
	}
}

package bundles

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp/value"
)

// manifestMembers are the members of a manifest that say what a bundle is to
// OPA, of which the revision is read here.
var manifestMembers = []string{"revision", "rego_version", "file_rego_versions", "wasm"}

// readManifest returns the revision that a manifest states, "" where it states
// none. One that makes OPA read the bundle otherwise than remit does is refused.
func readManifest(text []byte) (revision string, err error) {
	said, err := value.ParseJSON(text)
	if err != nil {
		return "", err
	}
	stated := said.Get("revision")
	if said.Kind() != value.Map || stated.Defined() && stated.Kind() != value.String {
		return "", errors.New("it must hold an object whose revision is a string")
	}
	for _, m := range said.Members() {
		if other := slices.IndexFunc(manifestMembers, func(name string) bool { return name != m.Name && strings.EqualFold(name, m.Name) }); other >= 0 {
			return "", fmt.Errorf("%q would be %s to OPA: write it so", m.Name, manifestMembers[other])
		}
	}
	if version := said.Get("rego_version"); version.Defined() && !value.Equal(version, value.Decimal("1")) {
		return "", errors.New("its rego_version is not 1: remit reads Rego v1 alone")
	}
	if said.Get("file_rego_versions").Defined() && len(said.Get("file_rego_versions").Members()) > 0 {
		return "", errors.New("it has file_rego_versions: remit reads Rego v1 alone")
	}
	if said.Get("wasm").Defined() && said.Get("wasm").Len() > 0 {
		return "", errors.New("it has entry points in WebAssembly, which remit does not run: build the bundle of Rego (opa build -t rego)")
	}
	return stated.Text(), nil
}

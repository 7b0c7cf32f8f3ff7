package main

import (
	"bytes"
	"encoding/pem"
	"path/filepath"
	"text/template"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// nobody is who runs remit in the image; users gives it a name, for the records.
const (
	nobody = 65532
	users  = "root:x:0:0:root:/:/none\nremit:x:65532:65532:remit:/var/lib/remit:/none\n"
)

// addImage writes what an image for one processor is made of: all its files as one
// archive, which has owners and modes that a COPY could not give, and the container
// file with the version filled in.
func (f folder) addImage(source string, b *binary, texts []entry) error {
	layer, err := pack(b.at, rootFiles(b, texts)...)
	if err != nil {
		return err
	}
	if err := f.write(filepath.Join("image", "root_"+goos+"_"+b.arch+".tar"), layer); err != nil {
		return err
	}
	text, err := template.ParseFiles(filepath.Join(source, "integration", "container", "Containerfile"))
	if err != nil {
		return err
	}
	var filled bytes.Buffer
	err = text.Execute(&filled, map[string]any{"Version": b.version(), "Commit": b.commit(), "Created": b.settings["vcs.time"]})
	if err != nil {
		return err
	}
	return f.write(filepath.Join("image", "Containerfile"), filled.Bytes())
}

// rootFiles is everything there is in the image.
func rootFiles(b *binary, texts []entry) []entry {
	return append(within("usr/share/doc/remit/", texts),
		entry{name: "etc/", mode: 0o755},
		entry{name: "etc/passwd", mode: 0o644, body: []byte(users)},
		entry{name: "etc/remit/", mode: 0o755}, // remit.yaml and the policy, mounted
		entry{name: "etc/ssl/", mode: 0o755},
		entry{name: "etc/ssl/certs/", mode: 0o755},
		entry{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, body: authorities()},
		entry{name: "tmp/", mode: 0o1777}, // remit check and eval try policies on a store of their own
		entry{name: "usr/", mode: 0o755},
		entry{name: "usr/bin/", mode: 0o755},
		entry{name: "usr/bin/remit", mode: 0o755, body: b.bytes},
		entry{name: "usr/share/", mode: 0o755},
		entry{name: "usr/share/doc/", mode: 0o755},
		entry{name: "var/", mode: 0o755},
		entry{name: "var/lib/", mode: 0o755},
		entry{name: "var/lib/remit/", mode: 0o700, owner: nobody}, // the state: a volume
	)
}

// authorities are those that Mozilla trusts, as the Go project keeps them, so that
// an issuer or a git server on the internet can be verified. Those that are trusted
// with a reservation are left out: a file of certificates cannot say it.
func authorities() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return out.Bytes()
}

package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Authority makes certificates, as a company's or a mesh's authority would.
type Authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// NewAuthority returns an authority with a fresh key.
func NewAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{key, cert}, err
}

// Identity is a certificate and where its parts are.
type Identity struct{ CertFile, KeyFile, CAFile string }

// Issue writes a certificate for names (SPIFFE ids, DNS names), good for both
// ends of a connection from an hour ago on and for life more, to
// dir/NAME.crt, dir/NAME.key and the authority's own to dir/NAME.ca. A file that
// is there is replaced in one step.
func (a *Authority) Issue(dir, file string, life time.Duration, names ...string) (Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Identity{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: file}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life),
	}
	for _, name := range names {
		if !strings.Contains(name, "://") {
			template.DNSNames = append(template.DNSNames, name)
			continue
		}
		uri, err := url.Parse(name)
		if err != nil {
			return Identity{}, err
		}
		template.URIs = append(template.URIs, uri)
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return Identity{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Identity{}, err
	}
	at := filepath.Join(dir, file)
	id := Identity{CertFile: at + ".crt", KeyFile: at + ".key", CAFile: at + ".ca"}
	for path, block := range map[string]pem.Block{
		id.CertFile: {Type: "CERTIFICATE", Bytes: cert},
		id.KeyFile:  {Type: "PRIVATE KEY", Bytes: private},
		id.CAFile:   {Type: "CERTIFICATE", Bytes: a.cert.Raw},
	} {
		if err := replace(path, pem.EncodeToMemory(&block)); err != nil {
			return Identity{}, err
		}
	}
	return id, nil
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(fmt.Sprint("no randomness: ", err)) // never since Go 1.24
	}
	return n
}

// replace writes a file in one step: a reader sees the old one or the new one.
func replace(path string, text []byte) error {
	fresh := path + ".new"
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

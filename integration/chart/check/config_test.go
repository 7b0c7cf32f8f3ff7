package check

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const root = "../../.."

// built builds remit once for all tests.
var built = sync.OnceValues(func() (string, error) {
	binary, err := filepath.Abs(filepath.Join(root, "build", "remit-chart"))
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", binary, "./cmd/remit")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build remit: %w\n%s", err, out)
	}
	return binary, nil
})

// What the chart makes of values, remit takes: with a policy, certificates and
// keys where the pod has them.
func TestRemitTakesTheConfiguration(t *testing.T) {
	for _, file := range valueFiles(t) {
		t.Run(file, func(t *testing.T) {
			given := values(t, file)
			lay(given, map[string]any{"policy": map[string]any{
				"git": nil, "configMap": map[string]any{"name": "remit-policy", "key": "bundle.tar.gz"},
			}})
			if out, err := remit(t, given, "check"); err != nil || !strings.Contains(out, "good: generation") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// The same without a policy, which is in git: the configuration is good and says
// what the values said.
func TestRemitReadsEveryValue(t *testing.T) {
	out, err := remit(t, values(t, "full.yaml"), "config", "show")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"https://git.example.com/policy.git", "/etc/remit/git/token", "/etc/remit/files/git-ca/ca.crt",
		"envoy.example.com", "outcomes.connections.max_age 12h0m0s", "request_id caller", "deny_as http",
		"shutdown.pause 20s", "shutdown.drain 40s", "policy.engine both", "state.durability sync",
		"0.0.0.0:9191", "0.0.0.0:9192", "0.0.0.0:8282",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("%s is not in force:\n%s", want, out)
		}
	}
}

// What the schema leaves to remit, remit refuses, and says which key it is.
func TestRemitRefusesTheRest(t *testing.T) {
	for over, names := range map[string]string{
		`{ config: { log: { level: loud } } }`:                                "log.level",
		`{ config: { polcy: {} } }`:                                           "polcy",
		`{ config: { policy: { engine: fast } } }`:                            "policy.engine",
		`{ config: { state: { durability: maybe } } }`:                        "state.durability",
		`{ listener: { mpc: { paths: [ /mcp ] } } }`:                          "mpc",
		`{ listener: { identity: { jwt: { audience: [] } } } }`:               "audience",
		`{ listener: { request_id: anybody } }`:                               "request_id",
		`{ tls: { clientNames: [ "*.example.com" ] } }`:                       "wildcard",
		`{ outcomes: { connections: { max_age: forever } } }`:                 "forever",
		`{ policy: { configMap: { name: remit-policy, key: none.tar.gz } } }`: "none.tar.gz",
	} {
		t.Run(over, func(t *testing.T) {
			out, err := remit(t, laidOver(t, values(t, "minimal.yaml"), over), "check")
			if err == nil || !strings.Contains(out, names) {
				t.Errorf("it is not refused for %s: %v\n%s", names, err, out)
			}
		})
	}
}

// remit runs a command of remit in what the pod would see, in a folder.
func remit(t *testing.T, given map[string]any, args ...string) (string, error) {
	t.Helper()
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	pod := t.TempDir()
	here := strings.NewReplacer("/etc/remit/", pod+"/etc/remit/", "/var/lib/remit", pod+"/var", "/run/remit", pod)
	write(t, pod, "etc/remit/config/remit.yaml", []byte(here.Replace(configuration(t, given))))
	write(t, pod, "etc/remit/policy/bundle.tar.gz", bundle(t))
	certificate, key, public := identity(t)
	write(t, pod, "etc/remit/tls/tls.crt", certificate)
	write(t, pod, "etc/remit/tls/ca.crt", certificate)
	write(t, pod, "etc/remit/tls/tls.key", key)
	write(t, pod, "etc/remit/files/idp/jwks.json", public)
	command := exec.Command(binary, append(args, "--config", filepath.Join(pod, "etc/remit/config/remit.yaml"))...)
	out, err := command.CombinedOutput()
	return strings.ReplaceAll(string(out), pod+"/etc/remit/", "/etc/remit/"), err
}

func configuration(t *testing.T, given map[string]any) string {
	t.Helper()
	return the[*corev1.ConfigMap](t, manifests(t, given)).Data["remit.yaml"]
}

func write(t *testing.T, folder, name string, text []byte) {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// bundle packs what `remit init` writes.
func bundle(t *testing.T) []byte {
	t.Helper()
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "policy")
	if out, err := exec.Command(binary, "init", folder).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	if err := archive.AddFS(os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// identity makes a certificate that vouches for itself, its key, and the same key
// as an issuer would publish it.
func identity(t *testing.T) (certificate, private, published []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "remit"}, DNSNames: []string{"edge-remit.remit.svc"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	published = fmt.Appendf(nil, `{"keys":[{"kty":"EC","crv":"P-256","kid":"1","use":"sig","alg":"ES256","x":%q,"y":%q}]}`,
		encode(point[1:33]), encode(point[33:]))
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), published
}

package integration

import (
	"bytes"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// imageHolds checks of the image what can be checked without an engine that builds
// it: the container file, instruction by instruction, against the files that are
// all there will be.
func imageHolds(t *testing.T, made map[string][]byte, commit, binary string) {
	files := untar(t, bytes.NewReader(made["image/root_linux_amd64.tar"]))
	image := readImage(t, made["image/Containerfile"])
	if image.from != "scratch" || image.layer != "root_linux_amd64.tar /" {
		t.Errorf("made from %q with %q, want nothing but root_linux_amd64.tar", image.from, image.layer)
	}
	program := files[strings.TrimPrefix(image.entrypoint, "/")]
	if content, err := os.ReadFile(binary); err != nil || !bytes.Equal(program.content, content) || program.header.Mode != 0o755 {
		t.Errorf("%s is not the binary that is released (%v): %+v", image.entrypoint, err, program.header)
	}
	uid, gid, _ := strings.Cut(image.user, ":")
	number, err := strconv.Atoi(uid)
	if err != nil || number == 0 || gid != uid {
		t.Fatalf("USER %q is not somebody other than root, by number", image.user)
	}
	for name, f := range files {
		if state := strings.TrimSuffix(name, "/") == strings.TrimPrefix(image.volume, "/"); state != (f.header.Uid == number) || f.header.Mode&0o6000 != 0 {
			t.Errorf("%s: owner %d, mode %o: nothing but the volume is the user's", name, f.header.Uid, f.header.Mode)
		}
		if f.header.Mode&0o111 != 0 && !strings.HasSuffix(name, "/") && "/"+name != image.entrypoint {
			t.Errorf("%s can be run: there is nothing but remit to run", name)
		}
	}
	for label, want := range map[string]string{"source": "https://github.com/remit-pdp/remit", "licenses": "Apache-2.0", "version": distVersion, "revision": commit, "created": distTime} {
		if got := image.labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s is %q, want %q", label, got, want)
		}
	}
	if roots := x509.NewCertPool(); !roots.AppendCertsFromPEM(files["etc/ssl/certs/ca-certificates.crt"].content) || bytes.Count(files["etc/ssl/certs/ca-certificates.crt"].content, []byte("BEGIN")) < 100 {
		t.Error("the image has no authorities to verify an issuer by")
	}
	environmentCounts(t, image, binary)
}

// environmentCounts runs remit with the environment of the image: a name that it
// does not know would stop it.
func environmentCounts(t *testing.T, image image, binary string) {
	config := filepath.Join(t.TempDir(), "remit.yaml")
	text := "listeners: [ { name: agents, address: \"unix:authz.sock\", identity: { none: true } } ]\npolicy: { bundle: policy }\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	show := exec.CommandContext(t.Context(), binary, "config", "show")
	for name, value := range image.env {
		if name == "REMIT_CONFIG" { // where something is to be mounted: here it is elsewhere
			value = config
		}
		show.Env = append(show.Env, name+"="+value)
	}
	out, err := show.CombinedOutput()
	if err != nil {
		t.Fatalf("remit config show: %v\n%s", err, out)
	}
	for _, line := range []string{`state\.dir +` + image.volume + ` +REMIT_STATE_DIR`, `health\.address +"0\.0\.0\.0:8282" +REMIT_HEALTH_ADDRESS`} {
		if !regexp.MustCompile(line).Match(out) {
			t.Errorf("remit config show has no line %s:\n%s", line, out)
		}
	}
}

// An image is what a container file says of it.
type image struct {
	from, layer, user, volume, entrypoint string
	labels, env                           map[string]string
}

// readImage reads a container file. An instruction that it does not expect fails:
// somebody has to think about what is to be checked of it.
func readImage(t *testing.T, text []byte) image {
	t.Helper()
	read := image{labels: make(map[string]string), env: make(map[string]string)}
	platform := strings.NewReplacer("${TARGETOS}", "linux", "${TARGETARCH}", "amd64")
	comments := regexp.MustCompile(`(?m)^#.*\n`)
	joined := strings.ReplaceAll(comments.ReplaceAllString(string(text), ""), "\\\n", "")
	for line := range strings.Lines(joined) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch instruction {
		case "FROM":
			read.from = rest
		case "ARG":
			if !slices.Contains([]string{"TARGETOS", "TARGETARCH"}, rest) {
				t.Errorf("ARG %s has to be given: the image is to be built without arguments", rest)
			}
		case "ADD":
			read.layer = platform.Replace(rest)
		case "USER":
			read.user = rest
		case "VOLUME":
			read.volume = rest
		case "LABEL":
			assignments(rest, read.labels)
		case "ENV":
			assignments(rest, read.env)
		case "ENTRYPOINT":
			read.entrypoint = strings.Trim(rest, `[]"`) // the form without a shell
		case "CMD":
			if rest != `["serve"]` {
				t.Errorf("CMD %s", rest)
			}
		default:
			t.Errorf("an instruction that this test does not know: %s", line)
		}
	}
	return read
}

// assignments reads NAME=value and NAME="a value".
func assignments(text string, into map[string]string) {
	for _, pair := range regexp.MustCompile(`([\w.]+)=("[^"]*"|\S+)`).FindAllStringSubmatch(text, -1) {
		into[pair[1]] = strings.Trim(pair[2], `"`)
	}
}

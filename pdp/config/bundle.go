package config

import (
	"cmp"
	"net/url"
	"path"
	"time"
)

// Bundle says where policy comes from: exactly one of Dir, Tarball and Git. A
// text in the place of the object is Dir.
type Bundle struct {
	// Dir is a folder. It is watched.
	Dir string `yaml:"dir"`
	// Tarball is a file as `opa build` makes it (.tar.gz). It is watched.
	Tarball string `yaml:"tarball"`
	// Git is a repository. It is asked.
	Git *Git `yaml:"git"`
	// Poll is how often to look for a change: 1s by default, 30s for git.
	Poll Duration `yaml:"poll"`
}

// Git is policy from a git repository.
type Git struct {
	// URL is where the repository is: https://HOST/PATH or file:///PATH,
	// without credentials.
	URL string `yaml:"url"`
	// Ref is a branch, a tag or a commit's id.
	Ref string `yaml:"ref"`
	// Folder is the bundle's folder in the repository; empty: its root.
	Folder string `yaml:"folder"`
	// CAFile is a file with the only authorities that may vouch for the server, PEM;
	// empty: the system's.
	CAFile string `yaml:"ca_file"`
	// CredentialsFile is a file with one line, "USER:PASSWORD" or a token. It
	// is read at every poll.
	CredentialsFile string `yaml:"credentials_file"`
	// CredentialsEnv is the name of an environment variable with the same.
	CredentialsEnv string `yaml:"credentials_env"`
}

// UnmarshalYAML reads the folder's name, or the object.
func (b *Bundle) UnmarshalYAML(read func(any) error) error {
	if read(&b.Dir) == nil {
		return nil
	}
	type object Bundle // without this method
	return read((*object)(b))
}

func (b *Bundle) fill() {
	poll := time.Second
	if b.Git != nil {
		poll = 30 * time.Second
	}
	orDuration(&b.Poll, poll)
}

func (b *Bundle) problems(say sayFunc) {
	ways, shortest := 0, 100*time.Millisecond
	for _, has := range []bool{b.Dir != "", b.Tarball != "", b.Git != nil} {
		if has {
			ways++
		}
	}
	if ways == 0 {
		say("policy.bundle", "is required: the folder with the policies (`remit init FOLDER` writes one to start from), or { tarball: FILE }, or { git: { url: …, ref: … } }")
	} else if ways > 1 {
		say("policy.bundle", "must hold exactly one of dir, tarball, git; it holds %d", ways)
	}
	if b.Git != nil {
		shortest = time.Second
		b.Git.problems(say)
	}
	between("policy.bundle.poll", b.Poll, shortest, time.Hour, say)
}

func (g *Git) problems(say sayFunc) {
	const key = "policy.bundle.git"
	g.checkURL(key+".url", say)
	if g.Ref == "" {
		say(key+".ref", "is required: a branch, a tag or a commit's id")
	}
	if g.Folder != "" && (path.IsAbs(g.Folder) || path.Clean(g.Folder) != g.Folder || g.Folder == ".." || len(g.Folder) > 2 && g.Folder[:3] == "../") {
		say(key+".folder", "%q is not a plain path below the repository's root", g.Folder)
	}
	if g.CredentialsFile != "" && g.CredentialsEnv != "" {
		say(key+".credentials_env", "is beside credentials_file: take one of them")
	}
}

// checkURL never shows the URL where it may hold credentials.
func (g *Git) checkURL(key string, say sayFunc) {
	u, err := url.Parse(g.URL)
	switch {
	case err != nil:
		say(key, "cannot be read: write https://HOST/PATH or file:///PATH (HOST:PATH is ssh, which is not supported)")
	case u.User != nil && u.Scheme != "ssh":
		say(key, "holds credentials, which logs and process lists would show: put them into credentials_file")
	case u.Scheme == "http" || u.Scheme == "git":
		say(key, "%s:// lets anybody on the way change the policy: use https://", u.Scheme)
	case u.Scheme == "ssh":
		say(key, "ssh:// needs the server's key to be pinned, which is not supported: use https://, with ca_file for a private authority")
	case u.Scheme == "https" && u.Host != "", u.Scheme == "file" && u.Host == "" && path.IsAbs(u.Path):
	default:
		say(key, "%q is neither https://HOST/PATH nor file:///PATH", cmp.Or(u.Redacted(), g.URL))
	}
}

func (b *Bundle) rebase(under func(*string)) {
	under(&b.Dir)
	under(&b.Tarball)
	if b.Git != nil {
		under(&b.Git.CAFile)
		under(&b.Git.CredentialsFile)
	}
}

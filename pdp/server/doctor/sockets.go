package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/remit-pdp/remit/pdp/config"
)

// door is an address of remit's and who it believes whoever opens it to be.
type door struct {
	key, address string
	who          string // is believed to call
	tls          *config.TLS
	mode         fs.FileMode // of its socket at the most
	ownFolder    bool        // its folder is the state directory, which remit makes
}

// doors are all addresses but that of the probes, which believe nobody.
func doors(c *config.Config) []door {
	var all []door
	for _, l := range c.Listeners {
		all = append(all, door{"listeners." + l.Name, l.Address, "the proxy", l.TLS, 0o660, false})
	}
	if c.Outcomes.Address != "" {
		all = append(all, door{"outcomes", c.Outcomes.Address, "the proxy", c.Outcomes.TLS, 0o660, false})
	}
	if c.Agents.Address != "" {
		all = append(all, door{"agents", c.Agents.Address, "an agent, by its token", nil, 0o660, false})
	}
	socket := c.Operators.SocketPath()
	own := filepath.Dir(socket) == c.State.Dir
	return append(all, door{"operators", "unix:" + socket, "an operator, by what the kernel says", nil, 0o600, own})
}

// sockets judges who may open remit's doors.
func sockets(s *signs) (found []Finding) {
	for _, d := range doors(s.config) {
		path, isSocket := strings.CutPrefix(d.address, "unix:")
		switch {
		case isSocket:
			found = append(found, d.socket(path, s.live.answers))
		case d.tls != nil:
			found = append(found, good(fmt.Sprintf("%s: whoever has the certificate of %s is taken for %s", d.key, strings.Join(d.tls.ClientNames, " or "), d.who), d.address))
		default: // beyond loopback the configuration asks for tls
			found = append(found, good(fmt.Sprintf("%s: whoever is on this machine is taken for %s", d.key, d.who), d.address))
		}
	}
	if at := s.config.Operators.TCP(); at != "" {
		found = append(found, good("operators: over TCP a certificate or a token proves who calls, and operators.roles says what they may", at))
	}
	return found
}

// socket judges a Unix socket and the folder that it is in.
func (d *door) socket(path string, serves bool) Finding {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && serves:
		return wrong(Error, d.key+": the socket is gone", path, "remit listens where nobody finds it: Envoy answers 503", "restart remit; whatever cleans up that folder must leave it alone")
	case errors.Is(err, fs.ErrNotExist):
		return d.folder(path, good(d.key+": no socket, because remit does not serve", path))
	case err != nil:
		return wrong(Error, d.key+": "+err.Error(), path, "who may open it cannot be seen", "run doctor as the user who runs remit")
	case info.Mode()&fs.ModeSocket == 0:
		return wrong(Error, d.key+": there is something else than a socket", path, "remit serve does not start", "move it away, or configure another address")
	}
	mode := info.Mode().Perm()
	what := fmt.Sprintf("%s: mode %o; who may open it is taken for %s", d.key, mode, d.who)
	if mode&^d.mode != 0 {
		return wrong(Error, what, path, "more users than should be can speak for them", fmt.Sprintf("chmod %o %s", d.mode, path))
	}
	return d.folder(path, good(what, path))
}

// folder is otherwise, unless everybody may put another socket there.
func (d *door) folder(path string, otherwise Finding) Finding {
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	switch {
	case d.ownFolder && errors.Is(err, fs.ErrNotExist):
		return otherwise
	case err != nil:
		return wrong(Error, d.key+": "+err.Error(), dir, "remit serve does not start", "make the folder, for remit and the proxy's group only (mode 750)")
	case info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0:
		return wrong(Error, fmt.Sprintf("%s: everybody may write to its folder (mode %o)", d.key, info.Mode().Perm()), dir,
			"whoever puts a socket of his own there decides in remit's place", "chmod 750 "+dir)
	}
	return otherwise
}

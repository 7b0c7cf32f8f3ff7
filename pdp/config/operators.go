package config

import "path/filepath"

// Operators is where operators give their orders. It is a Unix socket: whoever calls is
// who the kernel says they are.
type Operators struct {
	// Address is "unix:PATH"; empty is operators.sock in the state directory.
	Address string `yaml:"address"`
}

// Socket is the path of the socket.
func (o *Operators) Socket() string {
	path, _ := cutSocket(o.Address)
	return path
}

func (o *Operators) fill(stateDir string) {
	orString(&o.Address, socketScheme+filepath.Join(stateDir, "operators.sock"))
}

func (o *Operators) problems(say sayFunc) {
	path, isSocket := cutSocket(o.Address)
	switch {
	case !isSocket:
		say("operators.address", "%q is not \"unix:PATH\": over TCP an operator's identity would have to be proved by mTLS or OIDC, which remit does not do yet; name a socket", o.Address)
	case path == "":
		say("operators.address", "%q names no path", o.Address)
	}
}

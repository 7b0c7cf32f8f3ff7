package operators

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// kernel is what the kernel says of who is at the other end of a socket.
type kernel struct {
	uid uint32
	err error // why it says nothing
}

type kernelKey struct{}

// withKernel puts what the kernel says of a connection into its context. Of one
// that is no Unix socket it says nothing.
func withKernel(ctx context.Context, conn net.Conn) context.Context {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, kernelKey{}, peer(socket))
}

// peer asks the kernel (SO_PEERCRED, unix(7)).
func peer(socket *net.UnixConn) (k kernel) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return kernel{err: err}
	}
	err = raw.Control(func(fd uintptr) {
		var credentials *syscall.Ucred
		if credentials, k.err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); k.err == nil {
			k.uid = credentials.Uid
		}
	})
	k.err = errors.Join(err, k.err)
	return k
}

// caller is the user at the other end. Who runs remit, and root, who can become
// that user, have all the roles, and nobody else has any.
func (k kernel) caller() (caller, error) {
	if k.err != nil {
		return caller{}, fmt.Errorf("the kernel does not say who calls: %w", k.err)
	}
	c := caller{name: k.name(), among: ": only the user who runs remit, and root, have it here"}
	if k.uid == 0 || uint64(k.uid) == uint64(os.Geteuid()) {
		c.roles = []Role{Viewer, Revoker, Approver}
	}
	return c, nil
}

// name is the user's name and number.
func (k kernel) name() string {
	uid := strconv.FormatUint(uint64(k.uid), 10)
	if found, err := user.LookupId(uid); err == nil {
		return found.Username + " (uid " + uid + ")"
	}
	return "uid " + uid
}

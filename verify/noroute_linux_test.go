package verify_test

import (
	"context"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/rollcall-csirt/rollcall/verify"
)

// elsewhere runs f on a thread that has a network of its own, in which there is
// nothing. The thread ends with f: nobody else gets to run on it.
func elsewhere(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked, which ends the thread
		err := syscall.Unshare(syscall.CLONE_NEWNET)
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Skipf("a thread with a network of its own takes rights: %v", err)
	}
}

// request is struct ifreq of netdevice(7).
type request struct {
	name [syscall.IFNAMSIZ]byte
	data [24]byte
}

// address gives the loopback interface an IPv4 address, and no other.
func address(t *testing.T, a netip.Addr) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer syscall.Close(fd) //nolint:errcheck // nothing was written
	var addr, flags request
	copy(addr.name[:], "lo")
	copy(flags.name[:], "lo")
	addr.data[0] = syscall.AF_INET
	copy(addr.data[4:], a.AsSlice())
	flags.data[0] = syscall.IFF_UP
	for _, c := range []struct {
		op  uintptr
		req *request
	}{{syscall.SIOCSIFADDR, &addr}, {syscall.SIOCSIFFLAGS, &flags}} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), c.op, uintptr(unsafe.Pointer(c.req))); errno != 0 {
			t.Error(errno)
		}
	}
}

// TestNoRoute tells a machine that is cut off from one that has no IPv6: neither
// says anything of those whom it can't reach.
func TestNoRoute(t *testing.T) {
	n := newNet(t)
	l := n.live(func(c *verify.LiveConfig) {
		c.Map = nil
		c.Allow = []netip.Prefix{netip.MustParsePrefix("::/0"), netip.MustParsePrefix("0.0.0.0/0")}
	})
	v4, v6 := netip.MustParseAddrPort("192.0.2.1:53"), netip.MustParseAddrPort("[2001:db8::53]:53")
	ask := func(at netip.AddrPort) (*verify.Answer, error) {
		return l.Query(context.Background(), verify.Question{Name: "a.example", Type: "A", Server: at})
	}
	var cutOff, alsoOff, named error
	var v6Answer, v4Answer *verify.Answer
	elsewhere(t, func() {
		_, cutOff = ask(v4)
		_, alsoOff = ask(v6)
		_, named = l.Query(context.Background(), verify.Question{Name: "a.example", Type: "A"})
		address(t, v4.Addr())
		v4Answer, _ = ask(v4)
		v6Answer, _ = ask(v6)
	})
	for _, err := range []error{cutOff, alsoOff, named} {
		wantTrouble(t, err, verify.CodeInternal)
	}
	if v4Answer == nil || failureOf(v4Answer.Failure) != verify.DNSUnreachable { // the port is closed
		t.Errorf("Query over IPv4 = %+v, want %s", v4Answer, verify.DNSUnreachable)
	}
	if v6Answer == nil || failureOf(v6Answer.Failure) != verify.DNSNoRoute || !v6Answer.Failure.Temporary {
		t.Errorf("Query over IPv6 = %+v, want %s", v6Answer, verify.DNSNoRoute)
	}
}

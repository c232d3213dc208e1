package presence

import "golang.org/x/sys/unix"

// state reports whether the peer has ended its half of the connection, also where
// data before that is unread, and whether it has reset it.
func state(fd uintptr) (ended, gone bool) {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	if n, err := unix.Poll(p, 0); err != nil || n == 0 {
		return false, false
	}
	got := p[0].Revents
	return got&unix.POLLRDHUP != 0, got&(unix.POLLHUP|unix.POLLERR) != 0
}

// send writes text and waits for nothing. It returns false if the connection is of
// no more use: it failed, or took a part of the text.
func send(fd uintptr, text string) bool {
	n, err := unix.SendmsgN(int(fd), []byte(text), nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	if err == nil && n < len(text) {
		_ = unix.Shutdown(int(fd), unix.SHUT_RDWR) // no answer may follow half of one
	}
	return err == unix.EAGAIN || err == nil && n == len(text)
}

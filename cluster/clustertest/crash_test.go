package clustertest_test

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestACrashResetsTheStreamsOfPeersAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.SetDelay(time.Second, time.Second)
		client, server := f.connect()
		f.write(server, "on its way")
		start := time.Now()
		var all sync.WaitGroup
		all.Go(func() {
			_, err := client.Read(make([]byte, 1))
			f.wantError("Read", err, syscall.ECONNRESET)
		})
		all.Go(func() {
			_, err := client.Write(make([]byte, 1<<20))
			f.wantError("Write", err, syscall.ECONNRESET)
		})
		synctest.Wait()
		f.b.Crash()
		all.Wait()
		if waited := time.Since(start); waited != 0 {
			f.Errorf("noticed after %v", waited)
		}
		f.SetDelay(0, 0)
		f.wantError("Dial", f.dialFor(f.a, time.Minute), syscall.ECONNREFUSED)
	})
}

func TestACrashBehindAPartitionShowsWhenItHeals(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		client, _ := f.connect()
		f.Partition([]string{"a"}, []string{"b"})
		f.b.Crash()
		f.write(client, "are you there?")
		f.wantSilence(client)
		f.Heal()
		_, err := client.Read(make([]byte, 1))
		f.wantError("Read", err, syscall.ECONNRESET)
	})
}

func TestWhatIsLeftOfACrashedProcessCanDoNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		_, server := f.connect()
		var all sync.WaitGroup
		all.Go(func() {
			_, err := f.listener.Accept()
			f.wantError("Accept", err, net.ErrClosed)
		})
		all.Go(func() {
			_, _, err := f.packets.ReadFrom(nil)
			f.wantError("ReadFrom", err, net.ErrClosed)
		})
		all.Go(func() {
			_, err := server.Read(make([]byte, 1))
			f.wantError("Read", err, net.ErrClosed)
		})
		all.Go(func() {
			f.b.Freeze()
			f.wantError("Dial", f.dialFor(f.b, time.Minute), net.ErrClosed)
		})
		synctest.Wait()
		f.b.Crash()
		f.b.Crash()
		all.Wait()

		_, _, err := f.b.Listen(f.Context(), ":7000")
		f.wantError("Listen", err, net.ErrClosed)
		f.wantError("Dial", f.dialFor(f.b, time.Minute), net.ErrClosed)
	})
}

func TestTheNextProcessOfAMachineHasItsAddress(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.b.Crash()
		reborn := f.Host("b")
		if reborn == f.b || reborn.IP() != f.b.IP() || reborn.Name() != "b" {
			t.Errorf("reborn as %s %v, same process: %v", reborn.Name(), reborn.IP(), reborn == f.b)
		}
		f.listen(reborn)
		if err := f.dialFor(f.a, time.Minute); err != nil {
			t.Errorf("Dial: %v", err)
		}
		if f.Host("b") != reborn {
			t.Error("Host starts another process while one lives")
		}
	})
}

func TestStreamsClosedBeforeACrashAreReadToTheirEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.SetDelay(time.Second, time.Second)
		client, server := f.connect()
		f.write(server, "farewell")
		server.Close()
		f.b.Crash()
		f.wantRead(client, "farewell")
	})
}

func TestAFrozenProcessIsSilentAndItsPeersDoNotBreak(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		client, server := f.connect()
		_, packets := f.listen(f.a)
		f.b.Freeze()
		f.write(client, "hello")
		packets.WriteTo([]byte("x"), f.packets.LocalAddr())
		f.wantSilence(server)
		if got := drain(f.packets); got != 0 {
			t.Errorf("a frozen process received %d packets", got)
		}
		// The kernel of a frozen process still takes connections and bytes.
		if err := f.dialFor(f.a, time.Second); err != nil {
			t.Errorf("Dial: %v", err)
		}
		client.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := client.Write(make([]byte, 1<<20)); n != 256<<10-len("hello") || err == nil {
			t.Errorf("Write = %d, %v, want a timeout when the stream is full", n, err)
		}

		thawing := time.Now().Add(time.Hour)
		time.AfterFunc(time.Hour, f.b.Thaw)
		f.write(server, "I was away") // waits
		if !time.Now().Equal(thawing) {
			t.Errorf("a frozen process wrote %v before it was thawed", time.Until(thawing))
		}
		f.wantRead(client, "I was away")
		f.wantRead(server, "hello")
		if got := drain(f.packets); got != 1 {
			t.Errorf("%d packets after thawing, want 1", got)
		}
		if _, err := f.listener.Accept(); err != nil {
			t.Errorf("Accept: %v", err)
		}
	})
}

func TestClosingTheNetworkEndsEveryCall(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		client, _ := f.connect()
		f.Partition([]string{"a"}, []string{"b"})
		calls := map[string]func() error{
			"Accept":   func() error { _, err := f.listener.Accept(); return err },
			"ReadFrom": func() error { _, _, err := f.packets.ReadFrom(nil); return err },
			"Read":     func() error { _, err := client.Read(make([]byte, 1)); return err },
			"Write":    func() error { _, err := client.Write(make([]byte, 1<<20)); return err },
			"Dial":     func() error { return f.dialFor(f.a, 24*time.Hour) },
		}
		var all sync.WaitGroup
		for name, call := range calls {
			all.Go(func() { f.wantError(name, call(), net.ErrClosed) })
		}
		synctest.Wait()
		f.Close()
		f.Close()
		all.Wait()
		if _, _, err := f.Host("later").Listen(f.Context(), ":0"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Listen on a closed network: %v", err)
		}
	})
}

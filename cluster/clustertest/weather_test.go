package clustertest_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestDelayIsPaidOnEachWay(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.SetDelay(50*time.Millisecond, 50*time.Millisecond)
		start := time.Now()
		want := func(what string, d time.Duration) {
			t.Helper()
			if got := time.Since(start); got != d {
				t.Errorf("%s after %v, want %v", what, got, d)
			}
			start = time.Now()
		}
		client, server := f.connect()
		want("connected", 100*time.Millisecond)
		f.write(client, "x")
		want("written", 0)
		f.wantRead(server, "x")
		want("arrived", 50*time.Millisecond)
		client.Close()
		if _, err := server.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("Read: %v, want EOF", err)
		}
		want("closed", 50*time.Millisecond)

		f.packets.WriteTo([]byte("x"), f.packets.LocalAddr())
		f.packets.ReadFrom(make([]byte, 1))
		want("a host's packet to itself", 0)
	})
}

func TestAStreamKeepsItsOrderWhateverTheWeather(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.SetDelay(0, time.Second)
		f.SetLoss(0.5)
		client, server := f.connect()
		var want bytes.Buffer
		go func() {
			for i := range 1000 {
				client.Write(fmt.Appendf(nil, "%d,", i))
			}
			client.Close()
		}()
		for i := range 1000 {
			fmt.Fprintf(&want, "%d,", i)
		}
		if got, err := io.ReadAll(server); !bytes.Equal(got, want.Bytes()) || err != nil {
			t.Errorf("read %d bytes, or damaged ones, of %d; error %v", len(got), want.Len(), err)
		}
	})
}

func TestEvenTotalLossOnlyDelaysAStream(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		client, server := f.connect()
		f.SetLoss(1)
		start := time.Now()
		f.write(client, "x")
		f.wantRead(server, "x")
		if waited := time.Since(start); waited < 200*time.Millisecond {
			t.Errorf("arrived after %v, which is no retransmission", waited)
		}
	})
}

// exchange sends numbered packets from a to b and returns what came, and when.
func exchange(f *fixture) (numbers []uint32, times []time.Duration) {
	_, packets := f.listen(f.a)
	start := time.Now()
	for i := range uint32(1000) {
		packets.WriteTo(binary.BigEndian.AppendUint32(nil, i), f.packets.LocalAddr())
	}
	f.packets.SetReadDeadline(time.Now().Add(time.Minute))
	for b := make([]byte, 4); ; {
		if _, _, err := f.packets.ReadFrom(b); err != nil {
			return numbers, times
		}
		numbers = append(numbers, binary.BigEndian.Uint32(b))
		times = append(times, time.Since(start))
	}
}

func TestPacketsAreLostDelayedAndOvertakenBySeed(t *testing.T) {
	var numbers [2][]uint32
	var times [2][]time.Duration
	for run := range numbers {
		inBubble(t, func(t *testing.T, f *fixture) {
			f.SetDelay(10*time.Millisecond, 30*time.Millisecond)
			f.SetLoss(0.3)
			numbers[run], times[run] = exchange(f)
		})
	}
	if !slices.Equal(numbers[0], numbers[1]) || !slices.Equal(times[0], times[1]) {
		t.Error("the same seed gave another fate")
	}
	if got := len(numbers[0]); got < 600 || got > 800 {
		t.Errorf("%d packets of 1000 arrived with a loss of 30%%", got)
	}
	if slices.IsSorted(numbers[0]) {
		t.Error("no packet overtook another")
	}
	if first, last := times[0][0], times[0][len(times[0])-1]; first < 10*time.Millisecond || last > 30*time.Millisecond {
		t.Errorf("delays from %v to %v, want 10ms to 30ms", first, last)
	}
}

func TestPacketsWithoutDelayKeepTheirOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		if numbers, _ := exchange(f); len(numbers) != 1000 || !slices.IsSorted(numbers) {
			t.Errorf("%d packets arrived, in order: %v", len(numbers), slices.IsSorted(numbers))
		}
	})
}

func TestWhatASocketHasNoRoomForIsDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		for range 2000 {
			f.packets.WriteTo([]byte("x"), f.packets.LocalAddr())
		}
		if got := drain(f.packets); got != 1024 {
			t.Errorf("%d packets arrived, want 1024", got)
		}
		if _, err := f.packets.WriteTo(make([]byte, 1<<16), f.packets.LocalAddr()); err == nil {
			t.Error("a packet of 64 KiB was sent")
		}
		f.packets.WriteTo([]byte("truncated"), f.packets.LocalAddr())
		b := make([]byte, 5)
		if n, _, err := f.packets.ReadFrom(b); string(b[:n]) != "trunc" || err != nil {
			t.Errorf("ReadFrom = %q, %v", b[:n], err)
		}
	})
}

func TestSetDelayAndSetLossTakeAnyValue(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.SetDelay(-time.Second, -time.Minute)
		f.SetLoss(-1)
		f.connect()
		f.SetDelay(time.Second, 0)
		f.SetLoss(7)
		f.connect()
	})
}

func TestErrorsOfListenAndDial(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		_, _, err := f.b.Listen(t.Context(), ":7000")
		f.wantError("Listen where somebody does", err, syscall.EADDRINUSE)
		_, _, err = f.b.Listen(t.Context(), f.a.IP().String()+":0")
		f.wantError("Listen at the address of another host", err, syscall.EADDRNOTAVAIL)
		_, err = f.a.Dial(t.Context(), "10.9.9.9:1")
		f.wantError("Dial to an address of no host", err, syscall.EHOSTUNREACH)
		f.listener.Close()
		f.wantError("Dial where nobody listens", f.dialFor(f.a, time.Minute), syscall.ECONNREFUSED)
		if err := f.listener.Close(); err == nil {
			t.Error("a listener can be closed twice")
		}
	})
}

func TestDialersWaitWhenTheBacklogIsFull(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		for range 128 {
			if err := f.dialFor(f.a, time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.dialFor(f.a, time.Second); err == nil {
			t.Error("the backlog has no bound")
		}
		go func() {
			synctest.Wait()
			f.listener.Accept()
		}()
		if err := f.dialFor(f.a, time.Second); err != nil {
			t.Errorf("Dial when one was accepted: %v", err)
		}
	})
}

func TestUnacceptedStreamsOfAClosedListenerAreReset(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		c, err := f.a.Dial(t.Context(), f.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		f.listener.Close()
		_, err = c.Read(make([]byte, 1))
		f.wantError("Read", err, syscall.ECONNRESET)
	})
}

func TestAddressesAreGivenInOrderOfNaming(t *testing.T) {
	n := clustertest.NewNetwork(1)
	defer n.Close()
	var last string
	for i := range 300 {
		last = n.Host(fmt.Sprint(i)).IP().String()
		if i == 0 && last != "10.0.0.1" {
			t.Errorf("the first host has address %s", last)
		}
	}
	if last != "10.0.1.44" {
		t.Errorf("the 300th host has address %s", last)
	}
}

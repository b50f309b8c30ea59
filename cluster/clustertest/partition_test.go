package clustertest_test

import (
	"bytes"
	"context"
	"io"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestAPartitionStallsStreamsAndHealingDeliversWhatWasHeld(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		client, server := f.connect()
		f.write(client, "before ")
		f.Partition([]string{"a"}, []string{"b"})
		f.write(client, "during")
		f.write(server, "back")

		f.wantRead(server, "before ")
		f.wantSilence(server)
		f.wantSilence(client)

		f.Heal()
		f.wantRead(server, "during")
		f.wantRead(client, "back")
	})
}

func TestWhatArrivedBeforeAPartitionCanBeReadDuringIt(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.SetDelay(time.Second, time.Second)
		client, server := f.connect()
		f.write(client, "arrived")
		<-time.After(900 * time.Millisecond)
		f.write(client, "on its way")
		<-time.After(600 * time.Millisecond)
		f.Partition([]string{"a"}, []string{"b"})
		f.wantRead(server, "arrived")
		f.wantSilence(server)
		f.Heal()
		f.wantRead(server, "on its way")
	})
}

func TestHealingWakesThoseWhoWait(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		client, server := f.connect()
		f.Partition([]string{"a"}, []string{"b"})
		sent := bytes.Repeat([]byte("0123456789"), 100_000) // more than a stream holds
		start := time.Now()
		time.AfterFunc(time.Hour, f.Heal)
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := client.Write(sent); err != nil {
				f.Errorf("Write: %v", err)
			}
			client.Close()
		})
		all.Go(func() {
			if err := f.dialFor(f.a, 2*time.Hour); err != nil {
				f.Errorf("Dial: %v", err)
			}
			if waited := time.Since(start); waited != time.Hour {
				f.Errorf("Dial returned after %v, want when the network healed, after an hour", waited)
			}
		})
		got, err := io.ReadAll(server)
		if !bytes.Equal(got, sent) || err != nil {
			f.Errorf("%d bytes arrived, or damaged ones, of %d; error %v", len(got), len(sent), err)
		}
		all.Wait()
	})
}

func TestDialingAcrossAPartitionWaitsForTheContext(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.Partition([]string{"a"}, []string{"b"})
		f.listener.Close() // nobody can tell
		start := time.Now()
		f.wantError("Dial", f.dialFor(f.a, 3*time.Second), context.DeadlineExceeded)
		if waited := time.Since(start); waited != 3*time.Second {
			f.Errorf("Dial gave up after %v", waited)
		}
		f.Heal()
		f.wantError("Dial after healing", f.dialFor(f.a, 3*time.Second), syscall.ECONNREFUSED)
	})
}

func TestGroupsOfAPartition(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		hosts := map[string]bool{"a": true, "b": true, "c": false, "d": false}
		f.Partition([]string{"a", "b"}, []string{"c"})
		check := func(when string) {
			for name, reaches := range hosts {
				if err := f.dialFor(f.Host(name), time.Second); (err == nil) != reaches {
					f.Errorf("%s: dialing b from %s: %v, want success: %v", when, name, err, reaches)
				}
			}
		}
		check("b with a, c alone, d not named")

		f.Partition([]string{"a"})
		hosts = map[string]bool{"a": false, "b": true, "c": true, "d": true}
		check("a alone, the others not named")

		f.Heal()
		hosts["a"] = true
		check("healed")
	})
}

func TestPacketsAcrossAPartitionVanish(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		_, packets := f.listen(f.a)
		send := func() { packets.WriteTo([]byte("x"), f.packets.LocalAddr()) }
		f.Partition([]string{"a"}, []string{"b"})
		send()
		f.Heal()
		if got := drain(f.packets); got != 0 {
			f.Errorf("%d packets crossed the partition", got)
		}
		send()
		if got := drain(f.packets); got != 1 {
			f.Errorf("%d packets arrived after healing, want 1", got)
		}
	})
}

func TestACutIsOneWay(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		client, server := f.connect()
		_, packets := f.listen(f.a)
		f.Cut("a", "b")

		f.write(client, "lost on the way")
		f.wantSilence(server)
		f.write(server, "this way is open")
		f.wantRead(client, "this way is open")

		packets.WriteTo([]byte("x"), f.packets.LocalAddr())
		f.packets.WriteTo([]byte("x"), packets.LocalAddr())
		if there, back := drain(f.packets), drain(packets); there != 0 || back != 1 {
			f.Errorf("%d packets arrived over the cut way, and %d over the other", there, back)
		}
		f.wantError("Dial", f.dialFor(f.a, time.Second), context.DeadlineExceeded)
		f.Heal()
		f.wantRead(server, "lost on the way")
	})
}

func TestWithoutAcknowledgementsASenderGetsNoFurtherThanTheStreamHolds(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		client, server := f.connect()
		f.Cut("a", "b") // b's acknowledgements go from b to a, a's from a to b
		go io.Copy(io.Discard, client)
		server.SetWriteDeadline(time.Now().Add(time.Minute))
		n, err := server.Write(make([]byte, 1<<20))
		if n != 256<<10 || err == nil {
			f.Errorf("Write = %d, %v, want a timeout after 256 KiB", n, err)
		}
		f.Heal()
		server.SetWriteDeadline(time.Time{})
		if _, err := server.Write(make([]byte, 1<<20)); err != nil {
			f.Errorf("Write after healing: %v", err)
		}
	})
}

func TestAStreamClosedDuringAPartitionEndsWhenItHeals(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		client, server := f.connect()
		f.Partition([]string{"a"}, []string{"b"})
		f.write(client, "goodbye")
		client.Close()
		f.wantSilence(server)
		f.write(server, "nobody reads this, but who knows")
		f.Heal()
		f.wantRead(server, "goodbye")
		if _, err := server.Read(make([]byte, 1)); err != io.EOF {
			f.Errorf("Read: %v, want EOF", err)
		}
		_, err := server.Write([]byte("x"))
		f.wantError("Write", err, syscall.EPIPE)
	})
}

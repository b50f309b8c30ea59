#!/bin/sh
# Version: github.com/hashicorp/raft v1.8.0
# Expected: a follower that was down for a minute and is back hears the leader's heartbeats within
#   half a heartbeat timeout (their back-off is capped at that), and so gets the entries
#   that it lacks at about the same time.
# Seen: heartbeats are back in a moment, the entries come up to ten seconds later: the
#   replication to each server has a back-off of its own, without that cap, which doubles to
#   10.24 s, and a heartbeat that succeeds does not end it. Until then the follower counts as
#   alive, and is part of no majority that commits. Output, with the default timings:
#     first heartbeat 56ms after the follower was back
#     first entry     10.24s after the follower was back
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module example.com/finding

go 1.26
MOD
cat >main.go <<'GO'
// A leader and two followers on loopback; one follower is down for a while.
package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

type nothing struct{}

func (nothing) Apply(*raft.Log) any                 { return nil }
func (nothing) Snapshot() (raft.FSMSnapshot, error) { return nil, raft.ErrNothingNewToSnapshot }
func (nothing) Restore(io.ReadCloser) error         { return nil }

// failures is a log in which failed attempts to send entries can be waited for.
type failures struct {
	mu   sync.Mutex
	last time.Time
}

func (f *failures) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("failed to appendEntries")) {
		f.mu.Lock()
		f.last = time.Now()
		f.mu.Unlock()
	}
	return len(p), nil
}

func (f *failures) since() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Since(f.last)
}

type server struct {
	id    string
	store *raft.InmemStore
	raft  *raft.Raft
	trans *raft.NetworkTransport
}

func (s *server) start(addr string, out io.Writer) {
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(s.id)
	config.Logger = hclog.New(&hclog.LoggerOptions{Output: out})
	var err error
	if s.trans, err = raft.NewTCPTransportWithLogger(addr, nil, 3, time.Second, config.Logger); err != nil {
		log.Fatal(err)
	}
	if s.raft, err = raft.NewRaft(config, nothing{}, s.store, s.store, raft.NewInmemSnapshotStore(), s.trans); err != nil {
		log.Fatal(err)
	}
}

func (s *server) stop() {
	if err := s.raft.Shutdown().Error(); err != nil {
		log.Fatal(err)
	}
	s.trans.Close()
}

func freeAddr() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func main() {
	var failed failures
	servers, addrs := map[string]*server{}, map[string]string{}
	var all raft.Configuration
	for _, id := range strings.Fields("a b c") {
		servers[id], addrs[id] = &server{id: id, store: raft.NewInmemStore()}, freeAddr()
		all.Servers = append(all.Servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(addrs[id])})
	}
	for id, s := range servers {
		s.start(addrs[id], &failed)
	}
	servers["a"].raft.BootstrapCluster(all)
	var leader, gone *server
	for leader == nil {
		time.Sleep(50 * time.Millisecond)
		for _, s := range servers {
			if s.raft.State() == raft.Leader {
				leader = s
			}
		}
	}
	for _, s := range servers {
		if s != leader {
			gone = s
		}
	}
	time.Sleep(time.Second)
	gone.stop()
	time.Sleep(45 * time.Second)
	if err := leader.raft.Apply([]byte("meanwhile"), time.Second).Error(); err != nil {
		log.Fatal(err)
	}
	want := leader.raft.LastIndex()
	for deadline := time.Now().Add(30 * time.Second); failed.since() > 100*time.Millisecond && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	back := time.Now()
	gone.start(addrs[gone.id], io.Discard)
	for gone.raft.LastContact().Before(back) {
		time.Sleep(5 * time.Millisecond)
	}
	heartbeat := time.Since(back)
	for gone.raft.LastIndex() < want && time.Since(back) < 30*time.Second {
		time.Sleep(5 * time.Millisecond)
	}
	entry := time.Since(back)
	fmt.Printf("first heartbeat %v after the follower was back\n", heartbeat.Round(time.Millisecond))
	fmt.Printf("first entry     %v after the follower was back\n", entry.Round(10*time.Millisecond))
	if heartbeat > 2*time.Second || entry < 5*time.Second || entry > 15*time.Second {
		fmt.Println("this is not what the comments say")
		os.Exit(1)
	}
}
GO
go get github.com/hashicorp/raft@v1.8.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go run .

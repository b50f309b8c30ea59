package bench

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/troupe-go/troupe/cluster/lock"
)

// BenchmarkLock takes and releases a free lock: one of Troupe, over TLS, and one of etcd,
// without, each with three members on disk.
func BenchmarkLock(b *testing.B) {
	for _, members := range []int{1, 3} {
		b.Run(fmt.Sprint(members, " members"), func(b *testing.B) {
			node := nodes(b, members)[0]
			client := etcd(b, members)
			session, err := concurrency.NewSession(client)
			must(b, err)
			medians := inTurns(b,
				func() {
					l, err := lock.Acquire(background, node, "x")
					must(b, err)
					must(b, l.Release(background))
				},
				func() {
					m := concurrency.NewMutex(session, "x")
					must(b, m.Lock(background))
					must(b, m.Unlock(background))
				})
			b.ReportMetric(float64(medians[0]), "troupe-ns")
			b.ReportMetric(float64(medians[1]), "etcd-ns")
			b.ReportMetric(float64(medians[0])/float64(medians[1]), "of-etcd")
		})
	}
}

// etcd returns a client of the first of so many members.
func etcd(b *testing.B, members int) *clientv3.Client {
	dir := b.TempDir()
	var peers, clients []url.URL
	var initial []string
	for i := range members {
		peers, clients = append(peers, freeURL(b)), append(clients, freeURL(b))
		initial = append(initial, fmt.Sprintf("m%d=%s", i, peers[i].String()))
	}
	var started []*embed.Etcd
	for i := range members {
		c := embed.NewConfig()
		c.Name, c.Dir = fmt.Sprint("m", i), filepath.Join(dir, fmt.Sprint(i))
		c.ListenPeerUrls, c.AdvertisePeerUrls = peers[i:i+1], peers[i:i+1]
		c.ListenClientUrls, c.AdvertiseClientUrls = clients[i:i+1], clients[i:i+1]
		c.InitialCluster = strings.Join(initial, ",")
		c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
		e, err := embed.StartEtcd(c)
		must(b, err)
		b.Cleanup(e.Close)
		started = append(started, e)
	}
	for _, e := range started {
		<-e.Server.ReadyNotify()
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{clients[0].String()}, Logger: zap.NewNop()})
	must(b, err)
	b.Cleanup(func() { must(b, client.Close()) })
	return client
}

// freeURL returns one on loopback that nobody listens on.
func freeURL(b *testing.B) url.URL {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	defer l.Close()
	return url.URL{Scheme: "http", Host: l.Addr().String()}
}

// Deploy is the service that kubernetes.yaml, beside it, runs as a cluster of three:
//
//	go run ./demo/deploy
//
// It has one of each: a greeter, which is a service of the cluster; guests, which are
// virtual actors; and notes, which are kept in the replicated store. All are asked by
// HTTP, at an address that it prints:
//
//	GET /hello/{name}      a greeting, by the greeter of any node
//	GET /visits/{name}     how often the guest was here, by the node that it is on
//	PUT /notes/{key}       keeps the body, up to 64 KiB
//	GET /notes/{key}       what was kept last
//	GET /ready             200 if this node does its part, else 503 and why not
//
// Start it in more terminals, and all are one cluster. Ctrl-C or SIGTERM ends it: it
// answers what it was asked, leaves the cluster, and keeps its copy of the store for the
// next start. docs/guides/deploying.md says how it runs under Kubernetes and systemd.
package main

// Package discoverytest is the conformance suite of discoveries. An implementation
// calls [Run], or [RunPublishing] if what is announced through it can be found
// through it, from a test of its own:
//
//	func TestConformance(t *testing.T) {
//		discoverytest.RunPublishing(t, func(t *testing.T, addresses []string) []cluster.Discovery {
//			medium := newMedium(t)
//			var nodes []cluster.Discovery
//			for range addresses {
//				nodes = append(nodes, newDiscovery(medium))
//			}
//			return nodes
//		})
//	}
package discoverytest

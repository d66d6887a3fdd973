package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
)

// etcdCommand serves one etcd on loopback until it fails or is killed: what it keeps is gone with the test.
func etcdCommand() *cobra.Command {
	var dir string
	var port int
	command := &cobra.Command{
		Use:  "etcd",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			config := embed.NewConfig()
			config.Dir = dir
			config.LogLevel = "warn"
			config.UnsafeNoFsync = true
			client := url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}
			peer := url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port+1)}
			config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
			config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
			config.InitialCluster = config.InitialClusterFromName(config.Name)
			server, err := embed.StartEtcd(config)
			if err != nil {
				return err
			}
			return <-server.Err()
		},
	}
	command.Flags().StringVar(&dir, "dir", "", "folder of its files")
	command.Flags().IntVar(&port, "port", 2379, "port for clients; the next one is for peers")
	return command
}

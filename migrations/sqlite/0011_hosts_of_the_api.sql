-- Hosts that an operator adds while the service runs stand here whole. Those of the settings have what an operator wants
-- of them; the rest is read from the settings at each start.

ALTER TABLE hosts ADD COLUMN source TEXT NOT NULL DEFAULT 'config' CHECK (source IN ('config', 'api'));
ALTER TABLE hosts ADD COLUMN url TEXT CHECK ((url IS NULL) = (source = 'config'));
-- A folder below docker.certs_dir.
ALTER TABLE hosts ADD COLUMN certs TEXT CHECK (certs IS NULL OR source = 'api');
-- As an operator wants them; NULL: the default.
ALTER TABLE hosts ADD COLUMN slots INTEGER CHECK (slots BETWEEN 1 AND 4294967295);
CREATE UNIQUE INDEX hosts_by_url ON hosts (url);

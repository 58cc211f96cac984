-- Reads a token that is shown, and how often all sessions of whom it speaks for were ended at once.
--
-- KEYS  1 token:K
-- ARGV  1 prefix of all keys
-- Answer  { body or false, count }

local token = redis.call('HMGET', KEYS[1], 'body', 'holder')
if not token[1] then return { false, 0 } end
return { token[1], redis.call('HGET', ARGV[1] .. 'sessions:' .. (token[2] or ''), 'version') or '0' }

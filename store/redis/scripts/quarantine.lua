-- Puts an outside group under quarantine.
--
-- KEYS  1 quarantine:C/G
-- ARGV  1 until when, and why   2 how long, ms
-- Answer  OK

return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])

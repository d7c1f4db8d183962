export * from './gate';
export * from './trust';
